import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { askProcess, GONE } from './process-socket.js';
import { FOLDER_PREFIX, isOurs } from './service-folder.js';

/** Milliseconds for which the counts of a stopped service are kept. */
export const KEPT_MS = 24 * 3_600_000;

/**
 * Milliseconds after which an untouched folder of an earlier version, which has no socket, is left over: a
 * service touches its folder every minute.
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
 * Removes the folders of this user's services that no longer run. Symbolic links are left alone.
 * @param base the folder in which all services have theirs (`LEDGER_DIR`)
 * @param keptMs milliseconds that a service must have been stopped
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
  const sockets = readdirSync(path).filter((name) => name.endsWith('.sock'));
  const untouchedMs = Date.now() - lstatSync(path).mtimeMs;
  if (untouchedMs < (OF_EARLIER_VERSION.test(path) ? UNTOUCHED_MS : keptMs)) return true;
  const answers = await Promise.all(sockets.map((name) => askProcess(join(path, name), PATIENCE_MS)));
  return answers.some((answer) => answer !== GONE);
}

/** A folder's name in an earlier version: user, pid namespace, pid, start. */
const OF_EARLIER_VERSION = /-\d+-\d+-\d+-\d+-\w{6}$/;
