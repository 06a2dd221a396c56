import { Problem } from './problem.js';

/**
 * Milliseconds for which requests are begun in one turn of the event loop; the others wait for their turn.
 */
const SLICE_MS = 10;

/**
 * Turns of the event loop between two slices. It accepts one connection in each: with fewer turns,
 * clients that connect under overload, such as a health check, would wait for as many slices as there
 * are connections before theirs.
 */
const ROUNDS = 16;

const TICK_MS = 10;

/**
 * The problem for all refused requests: making an error with its stack for each
 * would cost more than refusing it.
 */
const OVERLOADED = new Problem(503, 'The service has more to do than it can. Try again soon.', {
  headers: { 'Retry-After': '1' },
});

interface Waiting {
  readonly since: number;
  readonly begin: (refusal: Problem | undefined) => void;
}

/**
 * Lets requests begin, or refuses them when they have waited longer than a limit for the event loop. It
 * refuses until one has waited less than half as long: without that it would switch at every request.
 *
 * Handlers that keep the loop busy delay all requests that come meanwhile, health checks and scrapes too. So
 * the requests of one turn are not all begun in it: those beyond a slice wait here, where their waiting time
 * is known, and essential ones get their turn in between.
 */
export class Overload {
  readonly #limitMs: number;
  #queue: Waiting[] = [];
  #overloaded = false;
  #sliceEnds = 0;
  #round = 0;
  #due = performance.now() + TICK_MS;
  /** The delay of the last tick: a request of this turn has waited for at most this long. */
  #lateMs = 0;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
    setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /**
   * Lets a request begin at once (`undefined`), or makes it wait; it is refused if
   * the promise gives a problem.
   */
  enter(): Promise<Problem | undefined> | undefined {
    const now = performance.now();
    if (this.#queue.length === 0 && this.#isFree(now)) return undefined;
    const begun = new Promise<Problem | undefined>((begin) =>
      this.#queue.push({ since: now - this.#lateMs, begin }),
    );
    if (this.#queue.length === 1) setImmediate(() => this.#nextRound());
    return begun;
  }

  /**
   * Tells whether a request may begin now. The first one of a turn always may: if even refusing took long,
   * nothing would be served any more.
   */
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
      const { since, begin } = this.#queue[taken++]!; // the index is within the queue
      begin(this.#refusal(performance.now() - since));
      // This lets the request begin before the loop goes on.
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
