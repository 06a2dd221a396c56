import { chmodSync, lstatSync, rmSync, type Stats } from 'node:fs';
import { connect } from 'node:net';

/**
 * Removes the file of a Unix socket on which nobody listens: a service that was killed leaves it, and nobody
 * could listen on its path. Resolves without having done anything where there is no such file, or somebody
 * listens, or it is no socket.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = statOf(path);
  if (!found?.isSocket() || !(await isRefused(path))) return;
  const now = statOf(path);
  // Another process may have removed it in the meantime, and listen on a new one.
  if (now?.ino === found.ino && now.ctimeMs === found.ctimeMs) rmSync(path, { force: true });
}

/** Sets who may connect to a Unix socket. Without a mode the umask has done so. */
export function restrictSocket(path: string, mode: number | undefined): void {
  if (mode !== undefined) chmodSync(path, mode);
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (err: NodeJS.ErrnoException) => resolve(err.code === 'ECONNREFUSED'));
  });
}
