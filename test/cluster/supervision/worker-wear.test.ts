import { watchWear } from '../../../src/cluster/supervision/worker-wear';
import { readConfig } from '../../../src/config';

const watch = (env: Record<string, string>, requests = 0, random = 0) =>
  watchWear(readConfig(env), () => requests, random);

test('without a limit there is nothing to watch', () => {
  expect(watch({})).toBeUndefined();
});

test.each([
  [99, undefined],
  [100, 'WORKER_MAX_REQUESTS'],
])('of at most 100 requests %d have been answered: %s', (requests, expected) => {
  expect(watch({ WORKER_MAX_REQUESTS: '100' }, requests)?.()).toBe(expected);
});

test.each([
  [0, 1_000],
  [0.5, 950],
  [1, 900],
])('the limits of two workers differ by a tenth at most: drawn %d, %d of 1000', (random, reachedAt) => {
  const env = { WORKER_MAX_REQUESTS: '1000' };
  expect(watch(env, reachedAt - 1, random)?.()).toBeUndefined();
  expect(watch(env, reachedAt, random)?.()).toBe('WORKER_MAX_REQUESTS');
});

test.each([
  ['WORKER_MAX_RSS', '1mb', '1tb'],
  ['WORKER_MAX_AGE', '1s', '365d'],
])('%s is reached or not by what this process is', async (name, small, large) => {
  expect(watch({ [name]: large })?.()).toBeUndefined();
  // The process is older than a second after this wait.
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, 1_001 - performance.now())));
  expect(watch({ [name]: small })?.()).toBe(name);
});
