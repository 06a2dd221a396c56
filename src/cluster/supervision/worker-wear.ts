import type { Config } from '../../config.js';

/** The variables that limit a worker's life. */
export const WEAR_LIMITS = ['WORKER_MAX_REQUESTS', 'WORKER_MAX_RSS', 'WORKER_MAX_AGE'] as const;
export type WearLimit = (typeof WEAR_LIMITS)[number];

/**
 * The share by which a worker's own limits may be below those of the service: workers that start
 * together must not go together.
 */
const JITTER = 0.1;

/**
 * Makes a function that returns the limit that this worker has reached, if any. Undefined where no limit is
 * set.
 * @param requests returns the number of requests that this worker has answered
 * @param random 0 to 1
 */
export function watchWear(
  { workerMaxRequests, workerMaxRss, workerMaxAgeMs }: Config,
  requests: () => number,
  random = Math.random(),
): (() => WearLimit | undefined) | undefined {
  const limits: readonly [WearLimit, number | undefined, () => number][] = [
    ['WORKER_MAX_REQUESTS', workerMaxRequests, requests],
    ['WORKER_MAX_RSS', workerMaxRss, () => process.memoryUsage.rss()],
    ['WORKER_MAX_AGE', workerMaxAgeMs, () => performance.now()],
  ];
  const set = limits.flatMap(([name, limit, value]) =>
    limit === undefined ? [] : [{ name, reached: () => value() >= limit * (1 - JITTER * random) }],
  );
  return set.length === 0 ? undefined : () => set.find(({ reached }) => reached())?.name;
}
