import type { RequestMetrics } from '../../metrics/request-metrics.js';
import type { Vitals } from '../../metrics/worker-status.js';
import { VitalsMeter } from './vitals.js';

/** Milliseconds for which a worker measures itself after a `watched`: a viewer repeats it more often. */
export const WATCH_MS = 5_000;

/** Milliseconds until the first reading: a rate over less time would mean little. */
const FIRST_READING_MS = 500;

/** Measures a worker while somebody looks at it, and only then. */
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

  /** Starts measuring, or goes on for another `WATCH_MS`. Called when the primary sends `watched`. */
  watched(): void {
    if (!this.#meter) {
      this.#meter = new VitalsMeter(this.#metrics);
      setTimeout(this.#tell, FIRST_READING_MS).unref();
    }
    clearTimeout(this.#end);
    this.#end = setTimeout(() => this.#stop(), WATCH_MS).unref();
  }

  /** Returns a new reading; undefined while nobody looks. */
  read(): Vitals | undefined {
    return this.#meter?.read();
  }

  #stop(): void {
    this.#meter?.close();
    this.#meter = undefined;
  }
}
