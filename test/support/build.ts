import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');

/** Builds dist/ where it is not of these sources. Named by jest's configuration: it runs before the tests that need it. */
export = function build(): void {
  execFileSync(process.execPath, ['scripts/build.mjs', '--if-needed'], {
    cwd: ROOT,
    stdio: 'inherit',
  });
};
