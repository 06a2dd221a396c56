import { boundOf } from '../snapshot/histogram-shape.js';
import { labelKey, labelText } from '../snapshot/label-text.js';
import type { Labels, SnapshotMetric } from '../snapshot/snapshot.js';
import type { Series } from './families.js';

/** The series of a process that have the same labels but for `le`. */
export interface Group {
  readonly key: string;
  readonly labels: Labels;
  /** The bounds of a histogram's buckets as a text, to be compared. */
  readonly bounds: string;
  /** The time since which it counts, in ms since 1970; Infinity if it is not known. */
  readonly start: number;
  readonly series: readonly PlacedSeries[];
}

export interface PlacedSeries extends Series {
  readonly key: string;
  /** The index among the metric's values. */
  readonly at: number;
}

/**
 * Groups a metric's series by their labels without `le`. A summary keeps only sum and
 * count: quantiles can't be merged.
 */
export function groupsOf(metric: SnapshotMetric): Group[] {
  const groups = new Map<string, { labels: Labels; start: number; series: PlacedSeries[] }>();
  for (const [at, { metricName = metric.name, labels, start = Infinity }] of metric.values.entries()) {
    const part = partOf(metricName, metric);
    if (metric.type === 'summary' && part === 'value') continue;
    const { le, ...others } = labels;
    const shared = metric.type === 'histogram' ? others : labels;
    const key = labelKey(shared);
    const series: PlacedSeries = {
      key: `${part} ${le ?? ''}`,
      part,
      bound: part === 'bucket' ? boundOf(le ?? NaN) : NaN,
      labels,
      text: metricName + labelText(Object.entries(labels)),
      at,
    };
    const known = groups.get(key);
    if (known) known.series.push(series);
    else groups.set(key, { labels: shared, start, series: [series] });
  }
  return Array.from(groups, ([key, { labels, start, series }]) => ({
    key,
    labels,
    start,
    bounds: boundsOf(series),
    series: series.toSorted((a, b) => PARTS.indexOf(a.part) - PARTS.indexOf(b.part)),
  }));
}

/** The order of a metric's samples. */
const PARTS: readonly Series['part'][] = ['value', 'bucket', 'sum', 'count'];

function partOf(metricName: string, { name }: SnapshotMetric): Series['part'] {
  if (metricName === `${name}_bucket`) return 'bucket';
  if (metricName === `${name}_sum`) return 'sum';
  return metricName === `${name}_count` ? 'count' : 'value';
}

function boundsOf(series: readonly Series[]): string {
  return series.flatMap(({ part, bound }) => (part === 'bucket' ? [bound] : [])).join();
}
