const common = require('./template/jest.config.js');

/** Tests in one process, from the sources: seconds. */
const unit = {
  ...common,
  displayName: 'unit',
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['\\.process\\.test\\.ts$'],
};

/** Tests with real processes, which run dist/. */
const processes = {
  ...common,
  displayName: 'process',
  testMatch: ['**/*.process.test.ts'],
  globalSetup: '<rootDir>/test/support/build.ts',
};

/** Tests with other programs: a browser, Prometheus, PM2. They are slow and mostly wait; two files run at a time. */
const e2e = { ...processes, displayName: 'e2e', testMatch: ['**/*.e2e.ts'] };

// End-to-end tests run only when they are named (npm run test:e2e, npx jest docs.e2e): not
// every machine has their programs.
const isAsked = process.argv.some((argument) => argument.includes('e2e'));
const projects = isAsked ? [unit, processes, e2e] : [unit, processes];

// Tests with real processes mostly wait: one at a time would take twice as long on two cores.
// A project's own testTimeout has no effect.
module.exports = {
  projects,
  maxWorkers: '100%',
  coverageProvider: 'v8',
  testTimeout: isAsked ? 120_000 : 30_000,
};
