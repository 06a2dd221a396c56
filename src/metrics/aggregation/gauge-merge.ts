import { labelKey, labelText } from '../snapshot/label-text.js';
import type { SnapshotMetric } from '../snapshot/snapshot.js';
import type { Metric, Series } from './families.js';

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
 * Aggregators in place of those that prom-client chose for one process: it omits the start time, adds up the
 * limits of open files, and averages percentiles, where users feel the worst worker.
 */
const BETTER: ReadonlyMap<string, string> = new Map([
  ['process_start_time_seconds', 'min'],
  ['process_max_fds', 'min'],
  ['nodejs_eventloop_lag_seconds', 'max'],
  ['nodejs_eventloop_lag_p50_seconds', 'max'],
  ['nodejs_eventloop_lag_p90_seconds', 'max'],
  ['nodejs_eventloop_lag_p99_seconds', 'max'],
]);

/** The minimum in seconds of Node's histogram of delays before the first sample (2^63 - 1 ns). */
const NO_SAMPLE = 2 ** 63 / 1e9;

/** Returns the way in which the workers' values of a gauge become one; undefined if the gauge is left out. */
function mergeOf(gauge: SnapshotMetric): Merge | undefined {
  const aggregator = BETTER.get(gauge.name) ?? gauge.aggregator;
  return aggregator === 'omit' ? undefined : (MERGES.get(aggregator) ?? sum);
}

/** Tells whether a gauge's value is a sample, and not a placeholder. */
function isSample(gauge: SnapshotMetric, value: number): boolean {
  return gauge.name !== 'nodejs_eventloop_lag_min_seconds' || value < NO_SAMPLE;
}

/** A gauge of one process. */
export interface ProcessGauge {
  readonly metric: SnapshotMetric;
  /** The result of `gaugeSeries` for this gauge. */
  readonly series: readonly GaugeSeries[];
  /** Whether its series have a `worker` label. */
  readonly isApart: boolean;
}

interface GaugeSeries extends Series {
  readonly key: string;
}

/** Makes the series of a gauge, in the order of its values; a slot becomes their `worker` label. */
export function gaugeSeries({ name, values }: SnapshotMetric, slot: number | undefined): GaugeSeries[] {
  return values.map(({ labels: given }) => {
    const labels = slot === undefined || 'worker' in given ? given : { ...given, worker: slot };
    const text = name + labelText(Object.entries(labels));
    return { key: labelKey(labels), part: 'value', bound: NaN, labels, text };
  });
}

/** Merges the values that these processes have of one gauge. */
export function mergeGauge(processes: readonly ProcessGauge[]): Metric[] {
  const merged = new Map<string, { series: Series; values: number[] }>();
  const [first] = processes;
  const merge = first && mergeOf(first.metric);
  for (const { metric, series: all } of processes) {
    for (const [i, series] of all.entries()) {
      const value = metric.values[i]?.value ?? NaN;
      if (!isSample(metric, value)) continue;
      const known = merged.get(series.key);
      if (known) known.values.push(value);
      else merged.set(series.key, { series, values: [value] });
    }
  }
  return [...merged.values()].flatMap(({ series, values }) => {
    // A worker's own value needs no merging, even if prom-client would leave it out.
    const value = merge ? merge(values) : first?.isApart ? values[0] : undefined;
    if (value === undefined || Number.isNaN(value)) return [];
    return [{ labels: series.labels, samples: [{ series, value }] }];
  });
}
