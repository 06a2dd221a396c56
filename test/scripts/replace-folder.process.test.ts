import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

jest.setTimeout(60_000);

const MODULE = pathToFileURL(resolve(__dirname, '../../scripts/replace-folder.mjs')).href;

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'replace-test-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs statements that may call `replaceFolder`, and resolves with the exit code; `meanwhile` is called again and again. */
async function run(statements: string, meanwhile: () => void = () => {}): Promise<number | null> {
  const program = `import { mkdirSync, writeFileSync } from 'node:fs';
    import { replaceFolder } from ${JSON.stringify(MODULE)};
    ${statements}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: folder,
    stdio: 'inherit',
  });
  try {
    while (child.exitCode === null && child.signalCode === null) {
      meanwhile();
      await new Promise(setImmediate);
    }
    return child.exitCode;
  } finally {
    child.kill('SIGKILL');
  }
}

function make(name: string): void {
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, 'file'), name);
}

const content = (name: string): string => readFileSync(join(folder, name, 'file'), 'utf8');

test('takes the place of a folder, and leaves nothing else', async () => {
  make('dist');
  make('next');
  expect(await run("replaceFolder('dist', 'next')")).toBe(0);
  expect(content('dist')).toBe('next');
  expect(readdirSync(folder)).toEqual(['dist']);
});

test('takes a place where nothing is', async () => {
  make('next');
  expect(await run("replaceFolder('dist', 'next')")).toBe(0);
  expect(content('dist')).toBe('next');
});

test('a reader finds a whole folder at any moment of many replacements', async () => {
  make('dist');
  let looks = 0;
  const code = await run(
    `for (let n = 0; n < 500; n++) {
       mkdirSync('next');
       writeFileSync('next/file', '');
       replaceFolder('dist', 'next');
     }`,
    () => {
      for (let n = 0; n < 100; n += 1) {
        expect(existsSync(join(folder, 'dist/file'))).toBe(true);
        looks += 1;
      }
    },
  );
  expect(code).toBe(0);
  expect(looks).toBeGreaterThan(1_000);
});
