const { existsSync, readFileSync, readdirSync } = require('node:fs');
const path = require('node:path');

/** Packages that are ES modules: jest runs CommonJS, so they are compiled as the sources are. */
function esModules() {
  const folder = path.join(__dirname, 'node_modules');
  const names = readdirSync(folder).flatMap((name) =>
    name.startsWith('@') ? readdirSync(path.join(folder, name)).map((scoped) => `${name}/${scoped}`) : [name],
  );
  return names.filter((name) => {
    const manifest = path.join(folder, name, 'package.json');
    return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).type === 'module';
  });
}

const common = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  transformIgnorePatterns: [`node_modules/(?!(?:${esModules().join('|')})/)`, '<rootDir>/dist/'],
  // Sources import the built name (./x.js), as Node resolves it; here that is ./x.ts.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.(?:ts|m?js)$': [
      '@swc/jest',
      { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
};

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

/** Tests with other programs: a browser, Prometheus, PM2. They are slow, so one file runs at a time. */
const e2e = { ...processes, displayName: 'e2e', testMatch: ['**/*.e2e.ts'] };

// End-to-end tests run only when they are named (npm run test:e2e, npx jest docs.e2e): not
// every machine has their programs.
const isAsked = process.argv.some((argument) => argument.includes('e2e'));
const projects = isAsked ? [unit, processes, e2e] : [unit, processes];

// A project's own testTimeout has no effect.
module.exports = { projects, coverageProvider: 'v8', testTimeout: isAsked ? 120_000 : 5_000 };
