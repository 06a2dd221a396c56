// npm run test:examples [-- NAME…]: builds each example and runs its tests, as its user would: in a copy of this project in which the example's
// files are in place of those that a user edits.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const EXAMPLES = join(ROOT, 'examples');

/** Files of the project itself, as in a clone. */
const PROJECT = [
  'scripts',
  'src',
  'test/support',
  'template',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'jest.config.js',
  '.oxlintrc.json',
];

/** Files that a user edits. */
const USERS = ['swagger', 'src/generated', 'src/handlers', 'src/service.ts', 'test/handlers'];

const STEPS = {
  build: [process.execPath, 'scripts/build.mjs'],
  typecheck: ['npx', 'tsc', '--noEmit'],
  lint: ['npx', 'oxlint', '--type-aware', '--deny-warnings', 'src', 'test'],
  test: ['npx', 'jest', '--runInBand'],
};

/** Leaves out the project's own tests. */
const filter = (source) => !source.endsWith('.test.ts');

function test(name) {
  const folder = mkdtempSync(join(tmpdir(), `example-${name}-`));
  try {
    for (const path of PROJECT) cpSync(join(ROOT, path), join(folder, path), { recursive: true, filter });
    for (const path of USERS) rmSync(join(folder, path), { recursive: true, force: true });
    cpSync(join(EXAMPLES, name), folder, { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    return Object.keys(STEPS).find((step) => {
      console.log(`== examples/${name}: ${step}`);
      const [program, ...args] = STEPS[step];
      return spawnSync(program, args, { cwd: folder, stdio: 'inherit' }).status !== 0;
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const names = process.argv.length > 2 ? process.argv.slice(2) : readdirSync(EXAMPLES);
for (const name of names) {
  const failed = test(name);
  if (failed) {
    console.error(`examples/${name} fails at: ${failed}`);
    process.exitCode = 1;
  }
}
