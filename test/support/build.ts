import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Builds dist/ where it is not of these sources. Named by jest's configuration: it runs before the tests that need it. */
export = function build(): void {
  execFileSync(process.execPath, [join(__dirname, '../../scripts/build.mjs'), '--if-needed'], {
    stdio: 'inherit',
  });
};
