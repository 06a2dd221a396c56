import { Problem } from './problem.js';

/** For so long requests are begun in one turn of the event loop; the rest waits for its turn. */
const SLICE_MS = 10;

/**
 * So often the loop goes round between two slices. It accepts one connection each time: with fewer, clients that connect while there is
 * much to do, such as a health check, would wait for as many slices as there are connections before theirs.
 */
const ROUNDS = 16;

const TICK_MS = 10;

/** One for all: to make an error with its stack for each would cost more than to refuse. */
const OVERLOADED = new Problem(503, 'The service has more to do than it can. Try again soon.', {
  headers: { 'Retry-After': '1' },
});

interface Waiting {
  readonly since: number;
  readonly begin: (refusal: Problem | undefined) => void;
}

/**
 * Lets requests begin, or refuses them when they have waited longer than a limit for the event loop. Once it does, it goes on until
 * one has waited less than half as long: without that it would switch at every request.
 *
 * Handlers that keep the loop hold up all requests that come meanwhile, health checks and scrapes too. So those that come in
 * one turn are not all begun in it: what takes longer than a slice waits here, where it is known for how long, and what is not
 * asked to wait gets its turn in between.
 */
export class Overload {
  readonly #limitMs: number;
  #queue: Waiting[] = [];
  #overloaded = false;
  #sliceEnds = 0;
  #round = 0;
  #due = performance.now() + TICK_MS;
  /** By how much the last tick was late: what arrives in this turn has waited for so long, at most. */
  #lateMs = 0;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
    setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** Undefined where the request may begin at once; else it has to wait, and is refused where that gives a problem. */
  enter(): Promise<Problem | undefined> | undefined {
    const now = performance.now();
    if (this.#queue.length === 0 && this.#isFree(now)) return undefined;
    const begun = new Promise<Problem | undefined>((begin) =>
      this.#queue.push({ since: now - this.#lateMs, begin }),
    );
    if (this.#queue.length === 1) setImmediate(() => this.#nextRound());
    return begun;
  }

  /** The first request of a turn is always begun: where even to refuse takes long, nothing would be served any more. */
  #isFree(now: number): boolean {
    if (this.#sliceEnds > 0)
      return now < this.#sliceEnds && !this.#overloaded && this.#lateMs <= this.#limitMs;
    this.#sliceEnds = now + SLICE_MS;
    setImmediate(() => (this.#sliceEnds = 0));
    return true;
  }

  #nextRound(): void {
    this.#round = (this.#round + 1) % ROUNDS;
    if (this.#round > 0) setImmediate(() => this.#nextRound());
    else void this.#slice();
  }

  async #slice(): Promise<void> {
    const ends = performance.now() + SLICE_MS;
    let taken = 0;
    for (let now = 0; taken < this.#queue.length && now < ends; now = performance.now()) {
      const { since, begin } = this.#queue[taken++]!; // it is within the queue
      begin(this.#refusal(performance.now() - since));
      // The request begins before this goes on.
      await Promise.resolve();
    }
    this.#queue = this.#queue.slice(taken);
    if (this.#queue.length > 0) setImmediate(() => this.#nextRound());
  }

  #refusal(waitedMs: number): Problem | undefined {
    this.#overloaded = waitedMs > this.#limitMs || (this.#overloaded && waitedMs > this.#limitMs / 2);
    return this.#overloaded ? OVERLOADED : undefined;
  }

  #tick(): void {
    const now = performance.now();
    this.#lateMs = Math.max(0, now - this.#due);
    this.#due = now + TICK_MS;
  }
}
