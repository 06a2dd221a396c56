module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  // Sources import the built name (./x.js), as Node resolves it; here that is ./x.ts.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
};
