import type { RequestMetrics } from '../../metrics/request-metrics.js';
import { type Vitals, VitalsMeter } from './vitals.js';

/** Whoever looks says so again within this time. */
export const WATCH_MS = 5_000;

/** The first reading comes so soon, and no sooner: a rate needs some time to be one. */
const FIRST_READING_MS = 500;

/** A worker's side of being looked at: it measures itself for as long as somebody is, and not otherwise. */
export class WorkerWatch {
  readonly #metrics: RequestMetrics;
  readonly #tell: () => void;
  #meter: VitalsMeter | undefined;
  #end: NodeJS.Timeout | undefined;

  /** @param tell sends a heartbeat */
  constructor(metrics: RequestMetrics, tell: () => void) {
    this.#metrics = metrics;
    this.#tell = tell;
  }

  /** To be called whenever the primary says that somebody looks. */
  watched(): void {
    if (!this.#meter) {
      this.#meter = new VitalsMeter(this.#metrics);
      setTimeout(this.#tell, FIRST_READING_MS).unref();
    }
    clearTimeout(this.#end);
    this.#end = setTimeout(() => this.#stop(), WATCH_MS).unref();
  }

  /** Undefined while nobody looks. */
  read(): Vitals | undefined {
    return this.#meter?.read();
  }

  #stop(): void {
    this.#meter?.close();
    this.#meter = undefined;
  }
}
