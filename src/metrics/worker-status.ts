import type { WorkerState } from './supervision-metrics.js';

/** Load and health of a worker since its previous reading. */
export interface Vitals {
  readonly requestsPerSecond: number;
  /** The 99th percentile of the answers' latency; undefined where there was no answer. */
  readonly p99Seconds?: number;
  /** Busy processors; 1 is one that was always busy. */
  readonly cpu: number;
  readonly rssBytes: number;
  /** The 99th percentile of the delay with which the event loop ran due timers. */
  readonly eventLoopDelaySeconds: number;
}

/** A worker, or an instance, as `koa-cluster-metrics status` and the status page show it. */
export interface WorkerStatus extends Partial<Vitals> {
  /** The number by which the log and the commands name the worker; never used again. */
  readonly worker: number;
  readonly pid: number | undefined;
  readonly state: WorkerState;
  readonly ageSeconds: number;
  /** Seconds since the worker was last heard; after more than a few it probably hangs. */
  readonly silentSeconds: number;
  /** The number of workers that had its place before. */
  readonly restarts?: number;
}
