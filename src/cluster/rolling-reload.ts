import type { Logger } from '../log.js';
import type { WorkerRecord } from './worker-record.js';

/** Replaces the workers one at a time: the next when the one before is gone and its replacement is ready. */
export class RollingReload {
  readonly #log: Logger;
  /** Workers below this generation are to be replaced; undefined when no reload is going on. */
  #below: number | undefined;
  #again = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** During a reload: one more when that is done, however often it is asked for. */
  start(nextGeneration: number): void {
    if (this.#below !== undefined) {
      this.#again = true;
      return;
    }
    this.#log.info('Reloading: the workers are replaced one by one');
    this.#below = nextGeneration;
  }

  /** Marks the next worker to be replaced when the service is at full strength. */
  step(workers: readonly WorkerRecord[], nextGeneration: number): void {
    const below = this.#below;
    if (below === undefined) return;
    const old = workers.find(({ generation }) => generation < below);
    if (old) {
      if (workers.every(({ state, staying }) => state === 'ready' && staying)) old.retiring = 'reloaded';
      return;
    }
    this.#log.info('Reloaded: all workers are new');
    this.#below = undefined;
    if (this.#again) this.start(nextGeneration);
    this.#again = false;
  }

  /** A new worker did not get ready: the old ones stay. */
  failed(generation: number, workers: readonly WorkerRecord[]): void {
    if (this.#below === undefined || generation < this.#below) return;
    this.#log.error('Reload stopped: a new worker did not get ready; the old workers stay');
    this.#below = undefined;
    this.#again = false;
    for (const worker of workers) {
      if (worker.retiring === 'reloaded') worker.retiring = undefined;
    }
  }
}
