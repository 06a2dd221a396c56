import { setTimeout as delay } from 'node:timers/promises';
import { Overload } from '../../src/http/overload';

const LIMIT_MS = 50;
const COST_MS = 5;
const LASTS_MS = 1_500;

// Other processes of the host take no time of this clock, which is the CPU time of this process.
beforeEach(() => {
  jest.spyOn(performance, 'now').mockImplementation(() => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  });
});
afterEach(() => jest.restoreAllMocks());

function burn(): void {
  const until = performance.now() + COST_MS;
  while (performance.now() < until);
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
  await Promise.all(Array.from({ length: clients }, client));
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
  expect(share).toBeGreaterThan(0.3);
  // Without a limit each would wait for the hundred before it: ten times the limit.
  expect(waits[Math.floor(waits.length / 2)]).toBeLessThan(5 * LIMIT_MS);
});
