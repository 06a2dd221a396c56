import type { Snapshot } from '../snapshot/snapshot.js';

/** Asks a worker for a snapshot. Returns false if it can't answer yet, so that nobody waits for it. */
export type Ask = (requestId: number) => boolean | void;

/** The part of a worker that an inquiry needs. */
export interface AskedWorker {
  readonly ask: Ask;
  /** The latest request for a snapshot that it has answered; Infinity after its final snapshot. */
  readonly answered: number;
  /** Whether it has let a gathering wait in vain, and has not answered since. */
  late: boolean;
}

/** The result of asking all workers. It may have workers that have ended since. */
export interface Asked {
  /** The time of the question, by `performance.now()`. */
  readonly at: number;
  readonly answers: ReadonlyMap<number, Snapshot>;
  readonly missing: ReadonlySet<number>;
}

/** An inquiry that waits for answers. */
interface Waiting {
  readonly requestId: number;
  readonly generations: Set<number>;
  readonly answers: Map<number, Snapshot>;
  readonly done: () => void;
}

/** Asks all workers for a snapshot, one inquiry at a time. Workers are identified by their generation. */
export class WorkerInquiry {
  readonly #workers: ReadonlyMap<number, AskedWorker>;
  readonly #timeoutMs: number;
  #requestId = 0;
  #waiting: Waiting | undefined;

  constructor(workers: ReadonlyMap<number, AskedWorker>, timeoutMs: number) {
    this.#workers = workers;
    this.#timeoutMs = timeoutMs;
  }

  /** Asks all workers. Resolves when every one has answered or ended, or its time is up. */
  async ask(): Promise<Asked> {
    const at = performance.now();
    const requestId = this.#requestId++;
    const generations = new Set<number>();
    const answers = new Map<number, Snapshot>();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#timeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting = { requestId, generations, answers, done };
      for (const [generation, worker] of this.#workers) {
        if (isAsked(worker, requestId)) generations.add(generation);
      }
      if (this.#allLate(generations)) done();
    });
    this.#waiting = undefined;
    for (const generation of generations) {
      const worker = this.#workers.get(generation);
      if (worker) worker.late = true;
    }
    return { at, answers, missing: generations };
  }

  /** Takes in a snapshot that is newer than the known one; without a request id it is the worker's last. */
  answered(generation: number, requestId: number | undefined, snapshot: Snapshot): void {
    if (this.#waiting?.requestId === requestId) this.#waiting?.answers.set(generation, snapshot);
    else if (requestId !== undefined) return;
    this.#settle(generation);
  }

  /** Stops waiting for a worker that has ended. */
  gone(generation: number): void {
    this.#waiting?.answers.delete(generation);
    this.#settle(generation);
  }

  #settle(generation: number): void {
    const waiting = this.#waiting;
    if (waiting?.generations.delete(generation) && this.#allLate(waiting.generations)) waiting.done();
  }

  /**
   * Tells whether only workers are missing that were late before. One that hangs is waited for once: without
   * this every scrape would take as long, and overlapping ones twice that.
   */
  #allLate(generations: ReadonlySet<number>): boolean {
    return [...generations].every((generation) => this.#workers.get(generation)?.late ?? true);
  }
}

/** Asks a worker. Returns whether it will answer: after its final snapshot it does not. */
function isAsked(worker: AskedWorker, requestId: number): boolean {
  if (worker.answered === Infinity) return false;
  try {
    return worker.ask(requestId) !== false;
  } catch {
    return true;
  }
}
