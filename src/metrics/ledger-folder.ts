import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, pidNamespace, startTime } from './process-identity.js';

const NAME = /^koa-cluster-metrics-(\d+)-(\d+)-(\d+)-(\d+)-\w{6}$/;

/**
 * Makes this service's ledger folder below `base`, for this user only, and removes the folders that primaries which are
 * gone left there. Does not throw: where it can't be made, the path of a folder that is not there is given, so that workers
 * count in memory, and `onError` is called.
 */
export function prepareLedgerFolder(base: string, onError: (err: Error) => void = () => {}): string {
  const ours = ['koa-cluster-metrics', userId(), pidNamespace(), process.pid, startTime(process.pid) ?? 0];
  const prefix = join(base, `${ours.join('-')}-`);
  try {
    removeLeftovers(base);
    // mkdtemp makes a name that was not there, with mode 0700: nobody can have put anything in our way.
    return mkdtempSync(prefix);
  } catch (err) {
    onError(err instanceof Error ? err : new Error(String(err)));
    return `${prefix}absent`;
  }
}

function removeLeftovers(base: string): void {
  for (const name of readdirSync(base)) {
    const [, user, namespace, pid, started] = NAME.exec(name) ?? [];
    // Another pid namespace (a container that shares the storage) can't be asked whether the process is gone.
    if (Number(user) !== userId() || Number(namespace) !== pidNamespace()) continue;
    if (isRunning(Number(pid), Number(started))) continue;
    removeOurs(join(base, name));
  }
}

/** Removes a folder if it is a real one, of this user, closed to others. Symbolic links in it are removed, not followed. */
function removeOurs(path: string): void {
  try {
    const stat = lstatSync(path);
    if (!stat.isDirectory() || stat.uid !== userId() || (stat.mode & 0o077) !== 0) return;
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Another primary that starts now may have been faster; what can't be removed does no harm.
  }
}

function userId(): number {
  return process.geteuid?.() ?? 0;
}
