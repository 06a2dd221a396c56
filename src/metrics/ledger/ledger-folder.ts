import { lstatSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, pidNamespace, startTime } from './process-identity.js';

const NAME = /^koa-cluster-metrics-(\d+)-(\d+)-(\d+)-(\d+)-\w{6}$/;

/**
 * A folder of another pid namespace is left over when it has not been touched for so long: storage that containers share, and that
 * outlives them, would fill up otherwise.
 */
const UNTOUCHED_MS = 3_600_000;
const TOUCH_MS = 60_000;

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
    const folder = mkdtempSync(prefix);
    setInterval(() => touch(folder), TOUCH_MS).unref();
    return folder;
  } catch (err) {
    onError(err instanceof Error ? err : new Error(String(err)));
    return `${prefix}absent`;
  }
}

/** A service's folder, be it running or not. */
export interface ServiceFolder {
  readonly path: string;
  readonly user: number;
  readonly pid: number;
}

/** The folders that services have made below `base`. Empty where it cannot be read. */
export function serviceFolders(base: string): ServiceFolder[] {
  try {
    return readdirSync(base).flatMap((name) => {
      const [, user, , pid] = NAME.exec(name) ?? [];
      return pid === undefined ? [] : [{ path: join(base, name), user: Number(user), pid: Number(pid) }];
    });
  } catch {
    return [];
  }
}

function removeLeftovers(base: string): void {
  for (const name of readdirSync(base)) {
    const [, user, namespace, pid, started] = NAME.exec(name) ?? [];
    if (Number(user) !== userId()) continue;
    const path = join(base, name);
    // Another pid namespace (a container that shares the storage) can't be asked whether the process is gone.
    const isOther = Number(namespace) !== pidNamespace();
    if (isOther ? isTouched(path) : isRunning(Number(pid), Number(started))) continue;
    removeOurs(path);
  }
}

function isTouched(path: string): boolean {
  const { mtimeMs = Infinity } = lstatSync(path, { throwIfNoEntry: false }) ?? {};
  return Date.now() - mtimeMs < UNTOUCHED_MS;
}

/** Shows primaries of other pid namespaces that this one is there. */
function touch(folder: string): void {
  try {
    utimesSync(folder, new Date(), new Date());
  } catch {
    // It was removed from outside: workers count in memory then, and say so.
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
