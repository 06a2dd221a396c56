import type { Registry } from 'prom-client';
import { Slices } from '../event-loop-turns.js';
import { SERVICE_METRICS } from '../metric-catalogue.js';
import { startsOf } from '../snapshot/series-starts.js';
import { takeSnapshot } from '../snapshot/take-snapshot.js';
import type { Family, Series } from '../aggregation/families.js';
import { FamilyReadings, FamilyTotals } from '../aggregation/family-totals.js';

/**
 * Returns the families of a registry of this process, as they are now.
 * @param since when its counts began, in ms since 1970. Default: the start of the process
 */
export async function familiesOf(registry: Registry, since?: number): Promise<readonly Family[]> {
  startsOf(registry, since);
  const snapshot = await takeSnapshot(registry, []);
  const totals = new FamilyTotals([]);
  const families = new FamilyReadings(0);
  totals.read(families, snapshot);
  return totals.families(new Set([{ families }]), [{ snapshot }], await Slices.begin());
}

/** Makes the family with the number of workers that are missing in a scrape. */
export function missingWorkers(prefix: string, count: number): Family {
  const { name: suffix, help, type } = SERVICE_METRICS.scrapeWorkersMissing;
  const name = prefix + suffix;
  const series: Series = { part: 'value', bound: NaN, labels: {}, text: name };
  return { name, help, type, metrics: [{ labels: {}, samples: [{ series, value: count }] }] };
}
