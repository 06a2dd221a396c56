import { forkNotBefore, type Exit } from '../../../src/cluster/supervision/restart-policy';
import type { ExitReason } from '../../../src/metrics/supervision-metrics';

interface Loop {
  readonly workers: number;
  readonly reason: ExitReason;
  /** Milliseconds from the fork to the exit. */
  readonly livesMs: number;
  readonly readyForMs: number;
}

/** The times of all forks of a service whose workers all fail, counted from the first one. */
function forksOfALoop({ workers, reason, livesMs, readyForMs }: Loop, untilMs: number): number[] {
  const forks: number[] = [];
  const exits: Exit[] = [];
  let alive: { forkedAt: number; readyAt: number }[] = [];
  for (let now = 0; now <= untilMs; now += 10) {
    for (const { forkedAt } of alive.filter((worker) => now - worker.forkedAt >= livesMs)) {
      exits.push({ reason, at: forkedAt + livesMs, readyForMs, serving: false });
    }
    alive = alive.filter(({ forkedAt }) => now - forkedAt < livesMs);
    while (alive.length < workers) {
      const youngest = alive.at(-1);
      const readyAt = youngest && (youngest.readyAt <= now ? youngest.readyAt : Infinity);
      if (now < forkNotBefore(exits, now, readyAt, 0)) break;
      alive.push({ forkedAt: now, readyAt: now + livesMs - readyForMs });
      forks.push(now);
    }
  }
  return forks;
}

const within = (forks: readonly number[], ms: number): number =>
  Math.max(...forks.map((start) => forks.filter((fork) => fork >= start && fork < start + ms).length));

test.each([
  { workers: 1, reason: 'boot_failed', livesMs: 50, readyForMs: 0 },
  { workers: 2, reason: 'boot_failed', livesMs: 50, readyForMs: 0 },
  { workers: 4, reason: 'boot_failed', livesMs: 50, readyForMs: 0 },
  { workers: 1, reason: 'crashed', livesMs: 200, readyForMs: 10 },
  { workers: 2, reason: 'crashed', livesMs: 200, readyForMs: 10 },
  { workers: 4, reason: 'crashed', livesMs: 300, readyForMs: 100 },
  { workers: 4, reason: 'crashed', livesMs: 1_200, readyForMs: 1_000 },
] as const)('$workers workers that end at once ($reason) are forked at most 6 times in 10 s', (loop) => {
  const forks = forksOfALoop(loop, 300_000);
  expect(within(forks, 10_000)).toBeLessThanOrEqual(6);
  // The policy never gives up, and never waits longer than the longest delay.
  const gaps = forks.map((fork, i) => fork - (forks[i - 1] ?? 0));
  expect(Math.max(...gaps)).toBeLessThanOrEqual(30_000 + loop.livesMs + 10);
  expect(forks.at(-1)).toBeGreaterThan(300_000 - 32_000);
});

test('what lived long is replaced at once, however many die', () => {
  const exits: Exit[] = ['crashed', 'killed', 'hung', 'crashed'].map((reason) => ({
    reason: reason as ExitReason, // the literals above
    at: 50_000,
    readyForMs: 20_000,
    serving: false,
  }));
  expect(forkNotBefore(exits, 50_000, undefined, 1)).toBeLessThanOrEqual(50_000);
});

test('a worker that is killed as soon as it is ready is replaced at once', () => {
  const exits: Exit[] = [];
  for (let now = 0; now < 30_000; now += 1_000) {
    exits.push({ reason: 'killed', at: now, readyForMs: 1, serving: false });
    expect(forkNotBefore(exits, now, now - 300, 1)).toBeLessThanOrEqual(now);
  }
});

test('orderly exits never delay', () => {
  const exits = Array.from({ length: 20 }, (): Exit => ({
    reason: 'drained',
    at: 1_000,
    readyForMs: 1,
    serving: false,
  }));
  expect(forkNotBefore(exits, 1_000, 990, 1)).toBeLessThanOrEqual(1_000);
});

test('the delay doubles up to half a minute, and jitter only adds to it', () => {
  const exits: Exit[] = [];
  const delays: number[] = [];
  for (let i = 0; i < 10; i++) {
    exits.push({ reason: 'boot_failed', at: 1_000, readyForMs: 0, serving: false });
    delays.push(forkNotBefore(exits, 1_000, undefined, 0) - 1_000);
    const jittered = forkNotBefore(exits, 1_000, undefined, 1) - 1_000;
    expect(jittered).toBeCloseTo(delays.at(-1)! * 1.25);
  }
  expect(delays).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test('a minute without rapid exits is a clean slate', () => {
  const exits: Exit[] = [0, 1, 2, 3].map((i) => ({
    reason: 'crashed',
    at: i * 100,
    readyForMs: 0,
    serving: false,
  }));
  expect(forkNotBefore(exits, 30_000, undefined, 0)).toBeGreaterThan(0);
  expect(forkNotBefore(exits, 60_301, undefined, 0)).toBe(0);
});

test('after a rapid exit the next worker must last for a second before another is forked', () => {
  const exits: Exit[] = [{ reason: 'crashed', at: 0, readyForMs: 10, serving: false }];
  expect(forkNotBefore(exits, 5_000, Infinity, 0)).toBe(Infinity);
  expect(forkNotBefore(exits, 5_000, 4_500, 0)).toBe(5_500);
});
