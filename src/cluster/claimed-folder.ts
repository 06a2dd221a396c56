import { randomInt } from 'node:crypto';
import { type Config, placeOf } from '../config.js';
import type { Logger } from '../log.js';
import { startTime } from '../metrics/ledger/process-identity.js';
import { claim } from '../metrics/service-folder/ownership.js';
import { ServiceFolder } from '../metrics/service-folder/service-folder.js';

/** The service's folder, and the rights of this primary to it. */
export interface ClaimedFolder {
  readonly folder: ServiceFolder;
  /** The random number by which this process signs its claim. */
  readonly owner: number;
  /** Whether counts go on where an earlier primary's ended, and stay for a later one. */
  readonly keep: boolean;
  /** Whether nobody can find the folder after this process, so that it is removed at the end. */
  readonly isTemporary: boolean;
  /** The reason why counts do not go on, unless the user has asked for that. */
  readonly warning?: string;
}

/**
 * Finds or makes the folder of this service, and claims it. Never rejects: without a
 * folder workers count in memory.
 */
export async function claimFolder(
  config: Config,
  program: readonly string[],
  log: Logger,
): Promise<ClaimedFolder> {
  const owner = randomInt(1, 2 ** 32);
  const { serviceName, listen, port, host = '', metricsPrefix, metricsKeep: keep } = config;
  const open = (identity: readonly string[]) =>
    new ServiceFolder({
      base: config.ledgerDir,
      identity: ['primary', ...identity],
      onRefused: (path) =>
        log.warn({ path }, 'The folder is not this user’s alone: another one keeps the counts'),
      onError: (err) => log.warn({ err }, 'No folder for counts: those of a killed worker would be lost'),
    });
  const alone = [String(process.pid), String(startTime(process.pid) ?? Date.now())];
  const isKnown = serviceName !== undefined || listen !== undefined || port !== 0;
  // A port that the system chose is another one after a restart: no later process
  // could find the folder by it.
  const folder = open(
    !isKnown
      ? alone
      : serviceName === undefined
        ? [...program, host, placeOf(config), metricsPrefix]
        : [serviceName],
  );
  if (await isClaimed(folder, owner, log))
    return { folder, owner, keep: keep && isKnown, isTemporary: !isKnown };
  const warning =
    `${folder.path} belongs to another running service: counts begin at 0; ` +
    'SERVICE_NAME tells the two apart';
  const own = open(alone);
  await isClaimed(own, owner, log);
  return { folder: own, owner, keep: false, isTemporary: true, warning };
}

/**
 * Claims the folder. Resolves with false where another living primary has it, and with
 * true where it cannot be written.
 */
export async function isClaimed(folder: ServiceFolder, owner: number, log: Logger): Promise<boolean> {
  try {
    return await claim(folder, owner);
  } catch (err) {
    log.debug({ err, path: folder.path }, 'The folder for counts cannot be claimed');
    return true;
  }
}
