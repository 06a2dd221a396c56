import { monitorEventLoopDelay } from 'node:perf_hooks';
import { quantile } from '../../metrics/quantile.js';
import type { RequestMetrics } from '../../metrics/request-metrics.js';
import type { Vitals } from '../../metrics/worker-status.js';

/** Sampling interval of the event loop's delay. Node adds it to each sample, so it is subtracted. */
const RESOLUTION_MS = 10;

/** Measures a worker while somebody looks at it. */
export class VitalsMeter {
  readonly #metrics: RequestMetrics;
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #at = performance.now();
  #cpu = process.cpuUsage();
  #answered: readonly number[];

  constructor(metrics: RequestMetrics) {
    this.#metrics = metrics;
    this.#answered = metrics.answered();
    this.#delay.enable();
  }

  read(): Vitals {
    const seconds = (performance.now() - this.#at) / 1_000;
    const { user, system } = process.cpuUsage(this.#cpu);
    const answered = this.#metrics.answered();
    const counts = answered.map((count, i) => count - (this.#answered[i] ?? 0));
    const p99Seconds = quantile(0.99, this.#metrics.buckets, counts);
    const lateMs = this.#delay.percentile(99) / 1e6 - RESOLUTION_MS;
    this.#at = performance.now();
    this.#cpu = process.cpuUsage();
    this.#answered = answered;
    this.#delay.reset();
    return {
      requestsPerSecond: counts.reduce((sum, count) => sum + count, 0) / seconds,
      ...(p99Seconds !== undefined && { p99Seconds }),
      cpu: (user + system) / 1e6 / seconds,
      rssBytes: process.memoryUsage.rss(),
      eventLoopDelaySeconds: Math.max(0, lateMs) / 1_000,
    };
  }

  close(): void {
    this.#delay.disable();
  }
}
