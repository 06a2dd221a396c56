import type { SnapshotMetric } from './snapshot.js';

type Merge = (values: readonly number[]) => number;

const sum: Merge = (values) => values.reduce((all, value) => all + value, 0);

/** The names that prom-client has for its aggregators. */
const MERGES: ReadonlyMap<string, Merge> = new Map<string, Merge>([
  ['sum', sum],
  ['first', ([first = 0]) => first],
  ['min', (values) => Math.min(...values)],
  ['max', (values) => Math.max(...values)],
  ['average', (values) => sum(values) / values.length],
]);

/**
 * Where prom-client's own choice means nothing for a service of several processes: it omits the start time, adds up the
 * limits of open files, and averages percentiles, where the worst worker is what a user feels.
 */
const BETTER: ReadonlyMap<string, string> = new Map([
  ['process_start_time_seconds', 'min'],
  ['process_max_fds', 'min'],
  ['nodejs_eventloop_lag_seconds', 'max'],
  ['nodejs_eventloop_lag_p50_seconds', 'max'],
  ['nodejs_eventloop_lag_p90_seconds', 'max'],
  ['nodejs_eventloop_lag_p99_seconds', 'max'],
]);

/** What Node's histogram of delays has as its minimum before the first sample (2^63 - 1 ns), in seconds. */
const NO_SAMPLE = 2 ** 63 / 1e9;

/** How the workers' values of a gauge become one; undefined when it is to be left out. */
export function mergeOf(gauge: SnapshotMetric): Merge | undefined {
  const aggregator = BETTER.get(gauge.name) ?? gauge.aggregator;
  return aggregator === 'omit' ? undefined : (MERGES.get(aggregator) ?? sum);
}

/** Whether a gauge's value says anything. */
export function isSample(gauge: SnapshotMetric, value: number): boolean {
  return gauge.name !== 'nodejs_eventloop_lag_min_seconds' || value < NO_SAMPLE;
}
