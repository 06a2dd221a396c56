import type { Logger } from '../../log.js';
import type { WorkerRecord } from './worker-record.js';

/** Takes the end of a reload, with the reason if not all workers are new. */
export type ReloadDone = (problem?: string) => void;

/** Replaces the workers one at a time: the next when the one before is gone and its replacement is ready. */
export class RollingReload {
  readonly #log: Logger;
  /** Workers below this generation are replaced; undefined while there is no reload. */
  #below: number | undefined;
  #again = false;
  #done: ReloadDone[] = [];
  #doneAgain: ReloadDone[] = [];

  constructor(log: Logger) {
    this.#log = log;
  }

  get isOn(): boolean {
    return this.#below !== undefined;
  }

  /** Counts the workers to be replaced, as long as no new one has shown that it gets ready. */
  unreplaced(workers: readonly WorkerRecord[]): number {
    const below = this.#below ?? 0;
    if (workers.some(({ generation, state }) => generation >= below && state === 'ready')) return 0;
    return workers.filter(({ generation, state }) => generation < below && state !== 'draining').length;
  }

  /** Starts a reload. During a reload it asks for one more after it, however often it is called. */
  start(nextGeneration: number, done?: ReloadDone): void {
    if (this.#below !== undefined) {
      this.#again = true;
      if (done) this.#doneAgain.push(done);
      return;
    }
    if (done) this.#done.push(done);
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
    for (const done of this.#done.splice(0)) done();
    this.#done = this.#doneAgain.splice(0);
    if (this.#again) this.start(nextGeneration);
    this.#again = false;
  }

  /** Ends the reload because a new worker did not get ready. The old workers stay. */
  failed(generation: number, workers: readonly WorkerRecord[]): void {
    if (this.#below === undefined || generation < this.#below) return;
    this.#log.error('Reload stopped: a new worker did not get ready; the old workers stay');
    this.abandon('A new worker did not get ready; the old workers stay. The log says why.');
    for (const worker of workers) {
      if (worker.retiring === 'reloaded') worker.retiring = undefined;
    }
  }

  /** Ends the running reload, and the one that was to follow, if there are any. */
  abandon(problem: string): void {
    this.#below = undefined;
    this.#again = false;
    for (const done of [...this.#done.splice(0), ...this.#doneAgain.splice(0)]) done(problem);
  }
}
