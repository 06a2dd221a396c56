// npm run test:e2e: with other programs, for real. Slow, one file at a time.
module.exports = {
  ...require('./jest.config.js'),
  testMatch: ['**/*.e2e.ts'],
  maxWorkers: 1,
  testTimeout: 120_000,
};
