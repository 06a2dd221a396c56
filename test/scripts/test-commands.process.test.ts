import { execFileSync } from 'node:child_process';
import { relative, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');

jest.setTimeout(30_000);

test.each([
  ['test', 'test/thrown.test.ts'],
  ['test:unit', 'test/thrown.test.ts'],
  ['test:e2e', 'test/e2e/docs.e2e.ts'],
])('npm run %s runs the files that are named behind it alone', (script, file) => {
  // Without the scripts before it, which generate and build.
  const args = ['run', '--silent', '--ignore-scripts', script, '--', file, '--listTests'];
  const listed = execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8' });
  expect(listed.split('\n').flatMap((path) => (path.startsWith('/') ? [relative(ROOT, path)] : []))).toEqual([
    file,
  ]);
});
