import { labelKey } from './label-text.js';
import type { SnapshotValue } from './snapshot.js';

/** Parses a bucket's upper bound; NaN for a label that is not written as a number is. */
export function boundOf(le: string | number): number {
  if (le === '+Inf') return Infinity;
  const bound = Number(le);
  return Number.isFinite(bound) && String(bound) === String(le) ? bound : NaN;
}

/** The indices of the values of one histogram, which has one set of labels. */
export interface HistogramShape {
  /** The indices of the buckets in ascending order; the last one is +Inf. */
  readonly buckets: readonly number[];
  readonly count: number;
}

class Found {
  readonly buckets: number[] = [];
  readonly sums: number[] = [];
  readonly counts: number[] = [];
  bound = -Infinity;
}

/**
 * Finds the histograms in these series; undefined unless all are whole: buckets in ascending order up to
 * +Inf, one sum and one count (Prometheus, "Exposition formats").
 */
export function histogramsOf(
  name: string,
  series: readonly Omit<SnapshotValue, 'value'>[],
): HistogramShape[] | undefined {
  const histograms = new Map<string, Found>();
  for (const [i, { metricName, labels }] of series.entries()) {
    const { le, ...shared } = labels;
    if ((le !== undefined) !== (metricName === `${name}_bucket`)) return undefined;
    const key = labelKey(shared);
    const found = histograms.get(key) ?? new Found();
    histograms.set(key, found);
    if (le !== undefined) {
      const bound = boundOf(le);
      if (!(bound > found.bound)) return undefined;
      found.bound = bound;
      found.buckets.push(i);
    } else (metricName === `${name}_sum` ? found.sums : found.counts).push(i);
  }
  const shapes: HistogramShape[] = [];
  for (const { bound, buckets, sums, counts } of histograms.values()) {
    const [count] = counts;
    if (bound !== Infinity || sums.length !== 1 || counts.length !== 1 || count === undefined)
      return undefined;
    shapes.push({ buckets, count });
  }
  return shapes;
}

/** Tells whether no bucket has less than the one below it, and the last one equals the count. */
export function areCumulative(shapes: readonly HistogramShape[], values: readonly number[]): boolean {
  return shapes.every(({ buckets, count }) => {
    let below = 0;
    for (const bucket of buckets) {
      const value = values[bucket] ?? NaN;
      if (!(value >= below)) return false;
      below = value;
    }
    return values[count] === below;
  });
}
