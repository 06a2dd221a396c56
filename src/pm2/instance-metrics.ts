import { Registry } from 'prom-client';
import { type ExitReason, registerWorkerExits, registerWorkers } from '../metrics/supervision-metrics.js';
import type { Report } from '../metrics/service-folder/process-report.js';

/** Makes the metrics about workers, which the primary has where there is one. */
export function instanceMetrics(
  prefix: string,
  exits: Readonly<Record<ExitReason, number>>,
  reports: readonly Report[],
): Registry {
  const registry = new Registry();
  const counts = { starting: 0, ready: 0, draining: 0 };
  for (const { state } of reports) counts[state] += 1;
  // Only PM2 knows how many instances are wanted; the number can change at any time.
  registerWorkers(
    registry,
    prefix,
    () => 0,
    () => counts,
  );
  registerWorkerExits(registry, prefix, () => exits);
  return registry;
}
