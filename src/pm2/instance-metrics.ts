import { Registry } from 'prom-client';
import { type ExitReason, registerWorkerExits, registerWorkers } from '../metrics/supervision-metrics.js';
import type { Report } from '../metrics/service-folder/process-report.js';

/**
 * Makes the metrics about workers, which the primary has where there is one.
 * @param wanted the number of instances that should be in one of the states
 */
export function instanceMetrics(
  prefix: string,
  exits: Readonly<Record<ExitReason, number>>,
  reports: readonly Report[],
  wanted: number,
): Registry {
  const registry = new Registry();
  const counts = { starting: 0, ready: 0, draining: 0 };
  for (const { state } of reports) counts[state] += 1;
  registerWorkers(
    registry,
    prefix,
    () => wanted,
    () => counts,
  );
  registerWorkerExits(registry, prefix, () => exits);
  return registry;
}
