import { lstatSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, pidNamespace, startTime } from '../ledger/process-identity.js';
import { askProcess, GONE } from './process-socket.js';
import { FOLDER_PREFIX, isOurs } from './service-folder.js';

/** Milliseconds for which the counts of a stopped service are kept. */
export const KEPT_MS = 24 * 3_600_000;

/**
 * Milliseconds after which an untouched folder without a socket (of an earlier version, or of a process in
 * another pid namespace) is left over: a service touches its folder every minute.
 */
const UNTOUCHED_MS = 150_000;

/** Milliseconds that a process may take to show that it is alive; silence counts as life. */
const PATIENCE_MS = 500;

/** The folder of a service, running or not. */
export interface FoundFolder {
  readonly path: string;
  readonly user: number;
}

/** Lists the folders of services below `base`. Empty if it cannot be read. */
export function serviceFolders(base: string): FoundFolder[] {
  try {
    return readdirSync(base, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name.startsWith(FOLDER_PREFIX))
      .map(({ name }) => ({ path: join(base, name), user: lstatSync(join(base, name)).uid }));
  } catch {
    return [];
  }
}

/**
 * Marks a folder that nobody can use after this process: it is left over at once when the process has ended,
 * and not before. Throws if the folder cannot be written.
 */
export function markAsTemporary(path: string): void {
  const { pid } = process;
  writeFileSync(join(path, `process-${pidNamespace()}-${pid}-${startTime(pid) ?? 0}`), '', { mode: 0o600 });
}

const MARK = /^process-(\d+)-(\d+)-(\d+)$/;

/** Tells whether the process runs that has marked the folder; of another pid namespace that is `unknown`. */
function isMarkerRunning(names: readonly string[]): boolean | 'unknown' | undefined {
  const mark = names.map((name) => MARK.exec(name)).find((found) => found !== null);
  if (!mark) return undefined;
  const [, namespace, pid, started] = mark;
  return namespace === String(pidNamespace()) ? isRunning(Number(pid), Number(started)) : 'unknown';
}

/**
 * Removes the folders of this user's services that no longer run. Symbolic links are left alone.
 * @param base the folder in which all services have theirs (`LEDGER_DIR`)
 * @param keptMs milliseconds that a service must have been stopped, unless its folder was temporary
 * @returns the removed paths
 */
export async function removeLeftovers(base: string, keptMs = KEPT_MS): Promise<string[]> {
  const removed: string[] = [];
  for (const { path } of serviceFolders(base)) {
    if (!isOurs(path) || (await isUsed(path, keptMs))) continue;
    rmSync(path, { recursive: true, force: true });
    removed.push(path);
  }
  return removed;
}

async function isUsed(path: string, keptMs: number): Promise<boolean> {
  const names = readdirSync(path);
  const marker = isMarkerRunning(names);
  if (typeof marker === 'boolean') return marker;
  const untouchedMs = Date.now() - lstatSync(path).mtimeMs;
  const wantedMs = marker === 'unknown' ? Math.max(keptMs, UNTOUCHED_MS) : keptMs;
  if (untouchedMs < (OF_EARLIER_VERSION.test(path) ? UNTOUCHED_MS : wantedMs)) return true;
  const sockets = names.filter((name) => name.endsWith('.sock'));
  const answers = await Promise.all(sockets.map((name) => askProcess(join(path, name), PATIENCE_MS)));
  return answers.some((answer) => answer !== GONE);
}

/** A folder's name in an earlier version: user, pid namespace, pid, start. */
const OF_EARLIER_VERSION = /-\d+-\d+-\d+-\d+-\w{6}$/;
