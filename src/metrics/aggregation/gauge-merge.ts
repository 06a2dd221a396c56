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
function mergeOf(gauge: SnapshotMetric): Merge | undefined {
  const aggregator = BETTER.get(gauge.name) ?? gauge.aggregator;
  return aggregator === 'omit' ? undefined : (MERGES.get(aggregator) ?? sum);
}

/** Whether a gauge's value says anything. */
function isSample(gauge: SnapshotMetric, value: number): boolean {
  return gauge.name !== 'nodejs_eventloop_lag_min_seconds' || value < NO_SAMPLE;
}

/** A gauge as one process gave it. */
export interface ProcessGauge {
  readonly metric: SnapshotMetric;
  /** What `gaugeSeries` says of it. */
  readonly series: readonly GaugeSeries[];
  /** Whether its series have a label of their own for the process. */
  readonly isApart: boolean;
}

interface GaugeSeries extends Series {
  readonly key: string;
}

/** The series of a gauge, in the order of its values; with a slot they have it for their `worker` label. */
export function gaugeSeries({ name, values }: SnapshotMetric, slot: number | undefined): GaugeSeries[] {
  return values.map(({ labels: given }) => {
    const labels = slot === undefined || 'worker' in given ? given : { ...given, worker: slot };
    const text = name + labelText(Object.entries(labels));
    return { key: labelKey(labels), part: 'value', bound: NaN, labels, text };
  });
}

/** One gauge, which these processes have. */
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
    // One worker's own value needs no merging, even where prom-client would leave it out.
    const value = merge ? merge(values) : first?.isApart ? values[0] : undefined;
    if (value === undefined || !Number.isFinite(value)) return [];
    return [{ labels: series.labels, samples: [{ series, value }] }];
  });
}
