import { Counter, Gauge, type Registry } from 'prom-client';
import { SERVICE_METRICS } from './metric-catalogue.js';

export const WORKER_STATES = ['starting', 'ready', 'draining'] as const;
export type WorkerState = (typeof WORKER_STATES)[number];

/** The reasons of a worker's end: the values of the label `reason`. */
export const EXIT_REASONS = ['drained', 'recycled', 'crashed', 'killed', 'hung', 'boot_failed'] as const;

/**
 * - `drained`: it was asked to go and went
 * - `recycled`: so it was, because it had reached a limit of its life (`WORKER_MAX_…`)
 * - `crashed`: it failed by itself: an exit that nobody asked for, an exception, an abort
 * - `killed`: somebody else's signal, which may be the kernel's for want of memory
 * - `hung`: it was silent for too long and we killed it
 * - `boot_failed`: it was never ready
 */
export type ExitReason = (typeof EXIT_REASONS)[number];

/**
 * Registers the gauge of workers by state; `count` is called at each scrape. Missing workers, which wait to
 * be forked again, count as starting: a service that is short of workers shows it.
 */
export function registerWorkers(
  registry: Registry,
  prefix: string,
  wanted: () => number,
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
        Math.max(0, wanted() - counts.starting - counts.ready - counts.draining),
      );
    },
  });
}

/**
 * Registers the counter of workers that ended, every reason from 0; `read` is called at each
 * scrape, and must never fall.
 */
export function registerWorkerExits(
  registry: Registry,
  prefix: string,
  read: () => Readonly<Record<ExitReason, number>>,
): void {
  const { name, help, labels } = SERVICE_METRICS.workerExits;
  const counter: Counter<(typeof labels)[number]> = new Counter({
    name: prefix + name,
    help,
    labelNames: labels,
    registers: [registry],
    collect() {
      counter.reset();
      for (const [reason, exits] of Object.entries(read())) counter.inc({ reason }, exits);
    },
  });
}
