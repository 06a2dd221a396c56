import { readConfig } from './config.js';
import { removeLeftovers } from './metrics/service-folder/leftovers.js';

/** Removes the counts of services that no longer run at once; by default they are kept for a day. */
async function cleanLedgers(): Promise<void> {
  const { ledgerDir } = readConfig(process.env);
  const removed = await removeLeftovers(ledgerDir, 0);
  for (const path of removed) process.stdout.write(`Removed ${path}\n`);
  if (removed.length === 0) process.stdout.write(`Nothing is left over in ${ledgerDir}\n`);
}

void cleanLedgers();
