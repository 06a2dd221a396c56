import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');

jest.setTimeout(60_000);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'layers-test-'));
  copyFileSync(join(ROOT, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The rules that the linter finds broken in a project of these files, with the file of each. */
function broken(files: Readonly<Record<string, string>>): string[] {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const linter = join(ROOT, 'node_modules/oxlint/bin/oxlint');
  const { stdout, status } = spawnSync(process.execPath, [linter, '-f', 'unix', 'src'], {
    cwd: folder,
    encoding: 'utf8',
  });
  const found = [...stdout.matchAll(/^(\S+?):\d+:\d+: .*\[\w+\/(\S+)\]$/gm)].map(
    ([, file, rule]) => `${file} ${rule}`,
  );
  expect(status === 0).toBe(found.length === 0);
  return found.toSorted();
}

const NEIGHBOUR = 'export interface Neighbour {\n  readonly name: string;\n}\n';
const importing = (specifier: string): string =>
  `import type { Neighbour } from '${specifier}';\nexport type Mine = Neighbour;\n`;

test.each([
  ['src/openapi/one.ts', 'src/http/two.ts', '../http/two.js'],
  ['src/metrics/ledger/one.ts', 'src/server/two.ts', '../../server/two.js'],
  ['src/server/one.ts', 'src/openapi/two.ts', '../openapi/two.js'],
  ['src/http/one.ts', 'src/cluster/two.ts', '../cluster/two.js'],
  ['src/cluster/one.ts', 'src/pm2/two.ts', '../pm2/two.js'],
  ['src/observability/one.ts', 'src/http/two.ts', '../http/two.js'],
  ['src/config.ts', 'src/metrics/two.ts', './metrics/two.js'],
  ['src/http/one.ts', 'src/main.ts', '../main.js'],
])('the type of a room above is no import for %s', (one, two, specifier) => {
  expect(broken({ [one]: importing(specifier), [two]: NEIGHBOUR })).toEqual([
    `${one} eslint(no-restricted-imports)`,
  ]);
});

test.each([
  ['src/cluster/one.ts', 'src/http/two.ts', '../http/two.js'],
  ['src/http/one.ts', 'src/openapi/deep/two.ts', '../openapi/deep/two.js'],
  ['src/metrics/ledger/one.ts', 'src/metrics/two.ts', '../two.js'],
])('a room below is for %s', (one, two, specifier) => {
  expect(broken({ [one]: importing(specifier), [two]: NEIGHBOUR })).toEqual([]);
});

test('two files may not import each other, types included', () => {
  const files = {
    'src/metrics/one.ts': `import type { Two } from './two.js';\nexport type One = Two | string;\n`,
    'src/metrics/two.ts': `import type { One } from './one.js';\nexport type Two = Set<One>;\n`,
  };
  expect(broken(files)).toEqual([
    'src/metrics/one.ts import(no-cycle)',
    'src/metrics/two.ts import(no-cycle)',
  ]);
});

test('without the folder pm2/ and one line of main.ts the program builds', () => {
  for (const name of ['package.json', 'tsconfig.json', 'tsconfig.build.json'])
    copyFileSync(join(ROOT, name), join(folder, name));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const pm2 = join(ROOT, 'src/pm2');
  cpSync(join(ROOT, 'src'), join(folder, 'src'), { recursive: true, filter: (path) => path !== pm2 });
  const main = join(folder, 'src/main.ts');
  const lines = readFileSync(main, 'utf8').split('\n');
  const others = lines.filter((line) => !line.includes('./pm2/'));
  expect(lines.length - others.length).toBe(1);
  writeFileSync(main, others.join('\n'));
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { stdout } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--noEmit'], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(stdout).toBe('');
});
