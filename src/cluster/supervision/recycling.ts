import type { Logger } from '../../log.js';
import type { WorkerRecord } from './worker-record.js';

/**
 * Milliseconds after a worker's start within which reaching a limit means that the limit is too low: it would
 * keep the service busy with replacing workers.
 */
const SOON_MS = 60_000;

/** Milliseconds between two replacements of workers that reach a limit too soon. */
const APART_MS = 60_000;

/** Replaces workers that have reached a limit of their life, one at a time. */
export class Recycling {
  readonly #log: Logger;
  #latest = -Infinity;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Marks the next worker to be replaced when the service is at full strength. */
  step(workers: readonly WorkerRecord[], now: number): void {
    const worn = workers.find((worker) => worker.wornBy !== undefined && worker.staying);
    if (!worn || !workers.every(({ state, staying }) => state === 'ready' && staying)) return;
    const tooSoon = worn.wornAt - worn.readyAt < SOON_MS;
    if (tooSoon && now - this.#latest < APART_MS) return;
    this.#latest = now;
    worn.retiring = 'recycled';
    const { generation, wornBy } = worn;
    if (tooSoon) {
      this.#log.warn(
        { worker: generation, limit: wornBy },
        `${wornBy} is reached within a minute of a worker's start: it is too low. ` +
          'No more than one worker a minute is recycled',
      );
    } else
      this.#log.info({ worker: generation, limit: wornBy }, `A worker has reached ${wornBy} and is recycled`);
  }
}
