import { existsSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';

const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;

/**
 * Puts the folder `next` in the place of `folder`; both are on one file system. On Linux with koffi that is one step, and
 * whoever reads `folder` meanwhile finds the one or the other. Elsewhere there is neither for an instant.
 */
export function replaceFolder(folder, next) {
  try {
    return renameSync(next, folder);
  } catch (error) {
    // A rename replaces only an empty folder.
    if (!existsSync(folder)) throw error;
  }
  if (exchange(folder, next)) return rmSync(next, { recursive: true });
  const before = `${next}-before`;
  renameSync(folder, before);
  try {
    renameSync(next, folder);
  } catch (error) {
    renameSync(before, folder);
    throw error;
  }
  rmSync(before, { recursive: true });
}

/** renameat2(2). Some file systems do not have it. */
function exchange(one, other) {
  if (process.platform !== 'linux') return false;
  try {
    const koffi = createRequire(import.meta.url)('koffi');
    const renameat2 = koffi
      .load(null)
      .func('int renameat2(int olddirfd, str oldpath, int newdirfd, str newpath, unsigned int flags)');
    return renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) === 0;
  } catch {
    return false; // koffi is optional.
  }
}
