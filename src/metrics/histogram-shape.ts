import { labelKey } from './exposition.js';
import type { SnapshotValue } from './snapshot.js';

/** A bucket's upper bound; NaN for a label that is not written as a number is, and so not one. */
export function boundOf(le: string | number): number {
  if (le === '+Inf') return Infinity;
  const bound = Number(le);
  return Number.isFinite(bound) && String(bound) === String(le) ? bound : NaN;
}

/** What was seen of one histogram: that of one set of labels. */
class Shape {
  bound = -Infinity;
  inBuckets = 0;
  sums = 0;
  readonly counts: number[] = [];

  get isWhole(): boolean {
    const [count] = this.counts;
    return this.bound === Infinity && this.sums === 1 && this.counts.length === 1 && count === this.inBuckets;
  }
}

/**
 * Whether these values are whole histograms: buckets in ascending order, cumulative, the last one +Inf and equal to
 * the count, and one sum (Prometheus, "Exposition formats").
 */
export function areWholeHistograms(name: string, values: readonly SnapshotValue[]): boolean {
  const shapes = new Map<string, Shape>();
  for (const { metricName, labels, value } of values) {
    const { le, ...shared } = labels;
    if ((le !== undefined) !== (metricName === `${name}_bucket`)) return false;
    const key = labelKey(shared);
    const shape = shapes.get(key) ?? new Shape();
    shapes.set(key, shape);
    if (le !== undefined) {
      const bound = boundOf(le);
      if (!(bound > shape.bound) || value < shape.inBuckets) return false;
      shape.bound = bound;
      shape.inBuckets = value;
    } else if (metricName === `${name}_sum`) shape.sums++;
    else shape.counts.push(value);
  }
  return [...shapes.values()].every((shape) => shape.isWhole);
}
