import { readConfig } from './config.js';
import { removeLeftovers } from './metrics/service-folder/leftovers.js';

/** Removes at once what services that no longer run have left of their counts; without it that is kept for a day. */
async function cleanLedgers(): Promise<void> {
  const { ledgerDir } = readConfig(process.env);
  const removed = await removeLeftovers(ledgerDir, 0);
  for (const path of removed) process.stdout.write(`Removed ${path}\n`);
  if (removed.length === 0) process.stdout.write(`Nothing is left over in ${ledgerDir}\n`);
}

void cleanLedgers();
