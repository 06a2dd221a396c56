const { existsSync, readFileSync, readdirSync } = require('node:fs');
const path = require('node:path');

const PACKAGES = path.join(require.resolve('jest/package.json'), '../..');

/** Packages that are ES modules: jest runs CommonJS, so they are compiled as the sources are. */
function esModules(folder) {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).flatMap((name) =>
    name.startsWith('@') ? readdirSync(path.join(folder, name)).map((scoped) => `${name}/${scoped}`) : [name],
  );
  return names.flatMap((name) => {
    const manifest = path.join(folder, name, 'package.json');
    const isOne = existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).type === 'module';
    return [...(isOne ? [name] : []), ...esModules(path.join(folder, name, 'node_modules'))];
  });
}

module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  transformIgnorePatterns: [
    `node_modules/(?!(?:${esModules(PACKAGES).join('|')}|.*/node_modules)/)`,
    '<rootDir>/dist/',
  ],
  // Sources import the built name (./x.js), as Node resolves it; here that is ./x.ts.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.(?:ts|m?js)$': [
      '@swc/jest',
      { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
};
