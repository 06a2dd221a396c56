import { readConfig } from '../config.js';
import { removeLeftovers } from '../metrics/service-folder/leftovers.js';
import { withEnvFile } from '../settings.js';
import type { CommandInput } from './command.js';

/** Removes the counts of services that no longer run at once; by default they are kept for a day. */
export async function cleanLedgers({ env, out }: CommandInput): Promise<void> {
  const { ledgerDir } = readConfig(withEnvFile(env));
  const removed = await removeLeftovers(ledgerDir, 0);
  for (const path of removed) out.write(`Removed ${path}\n`);
  if (removed.length === 0) out.write(`Nothing is left over in ${ledgerDir}\n`);
}
