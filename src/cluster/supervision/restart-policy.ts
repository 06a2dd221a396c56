import type { ExitReason } from '../../metrics/supervision-metrics.js';

export interface Exit {
  readonly reason: ExitReason;
  /** Monotonic time in milliseconds. */
  readonly at: number;
  /** Milliseconds for which the worker had been ready. */
  readonly readyForMs: number;
  /** Whether the worker had requests in flight, one of which may have ended it. */
  readonly serving: boolean;
}

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 30_000;

/**
 * Milliseconds after which a rapid exit is forgotten if no other follows: more than the longest delay, or a
 * crash loop would forget itself.
 */
const MEMORY_MS = 60_000;

/** A worker that was ready for less than this made a rapid exit. */
const STABLE_MS: Readonly<Record<ExitReason, number>> = {
  drained: 0,
  recycled: 0,
  // A worker that fails by itself so soon is expected to fail again.
  crashed: 2_000,
  // An end from outside says nothing about the next worker, and a hung one is only found after a while.
  killed: 0,
  hung: 0,
  boot_failed: Infinity,
};

/**
 * Milliseconds that the one new worker must have been ready, after a rapid exit, before the next is forked.
 */
const PROBATION_MS = 1_000;

/**
 * Returns when the next worker may be forked: at once while workers live long or die of a request; after
 * rapid exits with an exponential backoff, and then one at a time. A request that ends its worker, sent again
 * and again, must not keep the others from being served. The backoff is global, not per worker, because the
 * workers of one service die of the same cause: four that loop are not four times as many forks. A worker
 * that dies at once is forked at most 6 times in 10 s.
 * @param exits the history, oldest first
 * @param youngest the time at which the worker forked last was ready; Infinity before, undefined when there
 *   is none
 * @param jitter 0 to 1, drawn once per exit: spreads the forks of many hosts, always towards later
 * @returns the monotonic time; Infinity while it depends on a worker that is still starting
 */
export function forkNotBefore(
  exits: readonly Exit[],
  now: number,
  youngest: number | undefined,
  jitter: number,
) {
  const { streak, last } = rapidStreak(exits, now);
  if (streak === 0) return 0;
  const delay = Math.min(FIRST_DELAY_MS * 2 ** (streak - 1), MAX_DELAY_MS) * (1 + jitter / 4);
  return Math.max(last + delay, youngest === undefined ? 0 : youngest + PROBATION_MS);
}

/**
 * Returns the number of rapid exits that followed each other closely, up to now,
 * and the time of the last one.
 */
function rapidStreak(exits: readonly Exit[], now: number): { streak: number; last: number } {
  const rapid = exits.filter(isRapid);
  const last = rapid.at(-1)?.at ?? -Infinity;
  let streak = 0;
  for (let next = now, i = rapid.length - 1; i >= 0; i--) {
    const { at } = rapid[i]!; // i is within the array
    if (next - at > MEMORY_MS) break;
    next = at;
    streak++;
  }
  return { streak, last };
}

function isRapid({ reason, readyForMs, serving }: Exit): boolean {
  return readyForMs < STABLE_MS[reason] && !serving;
}

/** The number of exits to remember: more than a backoff ever looks at. */
const REMEMBERED = 50;

/** The exits of the past, as `forkNotBefore` needs them. */
export class RestartHistory {
  #exits: Exit[] = [];
  #jitter = 0;

  remember(exit: Exit): void {
    this.#exits = [...this.#exits.slice(1 - REMEMBERED), exit];
    this.#jitter = Math.random();
  }

  forget(): void {
    this.#exits = [];
  }

  /** See `forkNotBefore`. */
  forkNotBefore(now: number, youngest: number | undefined): number {
    return forkNotBefore(this.#exits, now, youngest, this.#jitter);
  }
}
