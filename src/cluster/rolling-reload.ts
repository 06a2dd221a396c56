import type { Logger } from '../log.js';
import type { Member } from './member.js';

/** Replaces the workers one at a time: the next when the one before is gone and its replacement is ready. */
export class RollingReload {
  readonly #log: Logger;
  /** Members below this generation are to be replaced; undefined when no reload is going on. */
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
  step(members: readonly Member[], nextGeneration: number): void {
    const below = this.#below;
    if (below === undefined) return;
    const old = members.find(({ generation }) => generation < below);
    if (old) {
      if (members.every(({ state, staying }) => state === 'ready' && staying)) old.retiring = 'reloaded';
      return;
    }
    this.#log.info('Reloaded: all workers are new');
    this.#below = undefined;
    if (this.#again) this.start(nextGeneration);
    this.#again = false;
  }

  /** A new worker did not get ready: the old ones stay. */
  failed(generation: number, members: readonly Member[]): void {
    if (this.#below === undefined || generation < this.#below) return;
    this.#log.error('Reload stopped: a new worker did not get ready; the old workers stay');
    this.#below = undefined;
    this.#again = false;
    for (const member of members) {
      if (member.retiring === 'reloaded') member.retiring = undefined;
    }
  }
}
