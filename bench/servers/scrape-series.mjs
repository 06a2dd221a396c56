// @ts-check

/**
 * Names a route. Each has one set of series: as many as a service with this many path templates
 * has after one request to each.
 */
export const routeName = (/** @type {number} */ i) => `/resources/kind-${i}/{id}`;
/** Different latencies, so that buckets and sums differ from route to route. */
export const latency = (/** @type {number} */ i) => ((i * 7919) % 5000) / 2000;
export const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
