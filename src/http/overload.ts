import type { Config } from '../config.js';
import type { RequestMetrics } from '../metrics/request-metrics.js';
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

/** The weight of the latest slice in what a request is taken to cost. */
const WEIGHT = 0.3;

/**
 * Lets requests begin, or refuses them when they have waited longer than a limit for the event loop. It
 * refuses until none has waited half as long: without that it would switch at every request. As many as
 * can be done in half of the limit are kept, the youngest: if all were refused, there would be nothing
 * to do until clients ask again.
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
  #isGoingRound = false;
  #due = performance.now() + TICK_MS;
  /** Milliseconds for which a request keeps the event loop. */
  #costMs = 0;
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
    if (!this.#isGoingRound) setImmediate(() => this.#nextRound());
    this.#isGoingRound = true;
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
    else void this.#begin();
  }

  /**
   * Refuses what is too much, then begins some of the others: in turns of their own, so that a
   * slice shows what requests cost.
   */
  async #begin(): Promise<void> {
    const excess = this.#excess(performance.now());
    const refused = excess > 0 ? await this.#slice(excess, OVERLOADED) : 0;
    setImmediate(() => {
      if (refused < excess) return this.#nextRound();
      const started = performance.now();
      void this.#slice(this.#queue.length, undefined).then((begun) =>
        setImmediate(() => this.#begun(begun, started)),
      );
    });
  }

  #begun(begun: number, started: number): void {
    if (begun > 0) this.#costMs += WEIGHT * ((performance.now() - started) / begun - this.#costMs);
    this.#isGoingRound = this.#queue.length > 0;
    if (this.#isGoingRound) this.#nextRound();
  }

  /** Returns how many of the waiting requests, the oldest, are to be refused. */
  #excess(now: number): number {
    const limit = this.#limitMs;
    const late = (ms: number) => this.#queue.filter(({ since }) => now - since > ms).length;
    this.#overloaded = late(limit) > 0 || (this.#overloaded && late(limit / 2) > 0);
    if (!this.#overloaded) return 0;
    const room = Math.max(1, Math.floor(limit / 2 / this.#costMs));
    const excess = Math.min(late(limit / 2), this.#queue.length - room);
    // Where all have waited too long, to keep some would only make the next ones late.
    return Math.max(excess, late(2 * limit));
  }

  /** Begins or refuses requests, at most `most`, for as long as a slice lasts. Resolves with their number. */
  async #slice(most: number, refusal: Problem | undefined): Promise<number> {
    const ends = performance.now() + SLICE_MS;
    let taken = 0;
    for (const { begin } of this.#queue.slice(0, most)) {
      begin(refusal);
      taken += 1;
      // This lets the request begin before the loop goes on.
      await Promise.resolve();
      if (performance.now() > ends) break;
    }
    this.#queue = this.#queue.slice(taken);
    return taken;
  }

  #tick(): void {
    const now = performance.now();
    this.#lateMs = Math.max(0, now - this.#due);
    this.#due = now + TICK_MS;
  }
}

interface EntranceDeps {
  readonly config: Pick<Config, 'maxEventLoopDelayMs'>;
  readonly metrics: RequestMetrics;
}

/** Makes the function that delays or refuses requests under overload; `undefined` where no limit is set. */
export function entrance({ config, metrics }: EntranceDeps): Overload['enter'] | undefined {
  if (config.maxEventLoopDelayMs === undefined) return undefined;
  const overload = new Overload(config.maxEventLoopDelayMs);
  const counted = (refusal: Problem | undefined) => {
    if (refusal) metrics.shed += 1;
    return refusal;
  };
  return () => overload.enter()?.then(counted);
}
