import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const text = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');

/**
 * The files and folders that a line names: `server/refusals.ts`, `openapi/`, or a file beside another one of the
 * line. `dist/` is there after a build only.
 */
function named(line: string): string[] {
  const paths = [...line.matchAll(/`([\w./-]+(?:\.ts|\/))`/g)].map(([, path = '']) => path);
  return paths.filter((path) => path !== 'dist/');
}

function isThere(path: string, line: string): boolean {
  const folders = ['', 'src', ...named(line).map((other) => join('src', dirname(other)))];
  return folders.some((folder) => existsSync(join(ROOT, folder, path)));
}

test('every file that the map of the architecture names is there', () => {
  const lines = text.split('\n');
  const paths = lines.flatMap((line) => named(line).map((path) => ({ path, line })));
  expect(paths.length).toBeGreaterThan(40);
  expect(paths.filter(({ path, line }) => !isThere(path, line)).map(({ path }) => path)).toEqual([]);
});

test('every room is on the map', () => {
  const rooms = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  const missing = rooms
    .map(({ name }) => name)
    .filter((name) => !text.includes(`\`${name}/`) && name !== 'generated');
  expect(missing).toEqual([]);
});
