import { setImmediate as nextTurn } from 'node:timers/promises';
import { Overload } from '../../src/http/overload';

const LIMIT_MS = 50;
const COST_MS = 5;
const LASTS_MS = 1_500;
/** Milliseconds that one turn of the event loop takes beside what is done in it. */
const TURN_MS = 0.1;

/** The time of these tests: what is done takes as long as it says, on a busy host too. */
let now = 0;
let intervals: { readonly run: () => void; readonly every: number; due: number }[] = [];

beforeEach(() => {
  now = 0;
  intervals = [];
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  jest.spyOn(globalThis, 'setInterval').mockImplementation((run, every = 0) => {
    intervals.push({ run, every, due: now + every });
    return { unref() {} } as NodeJS.Timeout;
  });
});
afterEach(() => jest.restoreAllMocks());

/** Lets time pass for as long as the clients ask. */
async function pass(end: number): Promise<void> {
  while (now < end) {
    await nextTurn();
    now += TURN_MS;
    for (const interval of intervals.filter(({ due }) => now >= due)) {
      interval.run();
      interval.due = now + interval.every;
    }
  }
}

async function delay(ms: number): Promise<void> {
  const until = now + ms;
  while (performance.now() < until) await nextTurn();
}

function burn(): void {
  now += COST_MS;
}

/** Runs clients that ask again a little after they are answered. Gives how long those waited that were let in. */
async function closedLoop(clients: number, limitMs: number) {
  const overload = new Overload(limitMs);
  const end = performance.now() + LASTS_MS;
  const waits: number[] = [];
  let refused = 0;
  const client = async () => {
    while (performance.now() < end) {
      await delay(1);
      const began = performance.now();
      const refusal = await overload.enter();
      if (refusal) refused += 1;
      else {
        waits.push(performance.now() - began);
        burn();
      }
    }
  };
  await Promise.all([pass(end + LIMIT_MS), ...Array.from({ length: clients }, client)]);
  const share = (waits.length * COST_MS) / LASTS_MS;
  return { waits: waits.toSorted((a, b) => a - b), refused, share };
}

test('lets all requests begin while they can be done within the limit', async () => {
  // The limit is so high that a pause of a busy host is below it.
  expect((await closedLoop(3, 50 * LIMIT_MS)).refused).toBe(0);
});

test('refuses what is too much and lets in what can be done, which waits a little and not for all others', async () => {
  const { waits, refused, share } = await closedLoop(100, LIMIT_MS);
  expect(refused).toBeGreaterThan(0);
  expect(share).toBeGreaterThan(0.9);
  // Without a limit each would wait for the hundred before it: ten times the limit.
  expect(waits[Math.floor(waits.length / 2)]).toBeLessThan(LIMIT_MS);
});
