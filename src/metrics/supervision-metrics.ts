import { Counter, Gauge, type Registry } from 'prom-client';
import { SERVICE_METRICS } from './service-metrics.js';
import { WORKER_STATES, type WorkerState } from '../cluster/worker-record.js';
import { EXIT_REASONS, type ExitReason } from '../cluster/restart-policy.js';

/**
 * Registers the gauge of workers by state; `count` is called at each scrape. Those of the `wanted` workers that wait to
 * be forked again count as starting: a service that is short of workers shows it for as long as it is.
 */
export function registerWorkers(
  registry: Registry,
  prefix: string,
  wanted: number,
  count: () => Readonly<Record<WorkerState, number>>,
): void {
  const { name, help, labels } = SERVICE_METRICS.workers;
  const gauge = new Gauge({
    name: prefix + name,
    help,
    labelNames: labels,
    registers: [registry],
    collect() {
      const counts = count();
      for (const state of WORKER_STATES) gauge.set({ state }, counts[state]);
      gauge.inc(
        { state: 'starting' },
        Math.max(0, wanted - counts.starting - counts.ready - counts.draining),
      );
    },
  });
}

/** Registers the counter of workers that ended, every reason at 0, and returns what counts. */
export function registerWorkerExits(
  registry: Registry,
  prefix: string,
): (reason: ExitReason, times?: number) => void {
  const { name, help, labels } = SERVICE_METRICS.workerExits;
  const counter = new Counter({ name: prefix + name, help, labelNames: labels, registers: [registry] });
  for (const reason of EXIT_REASONS) counter.inc({ reason }, 0);
  return (reason, times = 1) => counter.inc({ reason }, times);
}
