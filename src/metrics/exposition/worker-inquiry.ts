import type { Snapshot } from '../snapshot/snapshot.js';

/** Asks a worker for a snapshot; false when it can't answer yet, so that nobody waits for it. */
export type Ask = (requestId: number) => boolean | void;

/** A worker, as far as asking it is concerned. */
export interface AskedWorker {
  readonly ask: Ask;
  /** The latest request it has answered; Infinity after its final snapshot. */
  readonly answered: number;
  /** It has let a gathering wait for nothing, and has not answered since. */
  late: boolean;
}

/** What came of asking all workers; those that are gone since may still be in it. */
export interface Asked {
  /** When they were asked, by `performance.now()`. */
  readonly at: number;
  readonly answers: ReadonlyMap<number, Snapshot>;
  readonly missing: ReadonlySet<number>;
}

/** An asking that waits for answers. */
interface Waiting {
  readonly requestId: number;
  readonly generations: Set<number>;
  readonly answers: Map<number, Snapshot>;
  readonly done: () => void;
}

/** Asks all workers for a snapshot, one asking at a time. Workers are known by their generation. */
export class WorkerInquiry {
  readonly #workers: ReadonlyMap<number, AskedWorker>;
  readonly #timeoutMs: number;
  #requestId = 0;
  #waiting: Waiting | undefined;

  constructor(workers: ReadonlyMap<number, AskedWorker>, timeoutMs: number) {
    this.#workers = workers;
    this.#timeoutMs = timeoutMs;
  }

  /** Resolves when every worker has answered or is gone, or its time is up. */
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

  /** To be called for each snapshot that is newer than what was known; without a request it is the worker's last. */
  answered(generation: number, requestId: number | undefined, snapshot: Snapshot): void {
    if (this.#waiting?.requestId === requestId) this.#waiting?.answers.set(generation, snapshot);
    else if (requestId !== undefined) return;
    this.#settle(generation);
  }

  /** To be called when a worker is gone. */
  gone(generation: number): void {
    this.#waiting?.answers.delete(generation);
    this.#settle(generation);
  }

  #settle(generation: number): void {
    const waiting = this.#waiting;
    if (waiting?.generations.delete(generation) && this.#allLate(waiting.generations)) waiting.done();
  }

  /** A worker that hangs is waited for once: without this every scrape would take as long, and overlapping ones twice that. */
  #allLate(generations: ReadonlySet<number>): boolean {
    return [...generations].every((generation) => this.#workers.get(generation)?.late ?? true);
  }
}

/** Whether an answer is to come. After its final snapshot a worker has no more to say. */
function isAsked(worker: AskedWorker, requestId: number): boolean {
  if (worker.answered === Infinity) return false;
  try {
    return worker.ask(requestId) !== false;
  } catch {
    return true;
  }
}
