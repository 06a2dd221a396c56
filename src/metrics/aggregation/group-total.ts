import type { Labels, SnapshotMetric } from '../snapshot/snapshot.js';
import { ExactSum } from './exact-sum.js';
import type { Metric } from './families.js';
import type { Group, PlacedSeries } from './series-groups.js';

/** The totals of a group over all processes. */
export class GroupTotal {
  readonly series: { readonly name: PlacedSeries; readonly gone: ExactSum }[] = [];
  readonly bounds: string;
  start: number;
  readonly #labels: Labels;
  /** The index of each series, by its key, in `series` and in each process's readings. */
  readonly #places = new Map<string, number>();

  constructor({ labels, bounds, start }: Group) {
    this.#labels = labels;
    this.bounds = bounds;
    this.start = start;
  }

  /** Adds the series of a process's group that are new here. */
  extend({ start, series }: Group): void {
    this.start = Math.min(this.start, start);
    for (const name of series) {
      if (this.#places.has(name.key)) continue;
      this.#places.set(name.key, this.series.push({ name, gone: new ExactSum() }) - 1);
    }
  }

  /**
   * Takes in the values of one process.
   * @param before its last readings
   * @returns its readings from now on
   */
  read(
    before: readonly number[] | undefined,
    { series }: Group,
    { values, labelNames }: SnapshotMetric,
  ): readonly number[] {
    const readings = Array<number>(this.series.length).fill(0);
    for (const { key, at } of series) readings[this.#places.get(key)!] = values[at]?.value ?? 0;
    if (!before) return readings;
    // A durable counter never falls: this reading is older, from a snapshot or from a
    // ledger that can't be written.
    if (labelNames && before.some((value, i) => value > readings[i]!)) return before;
    // A count that fell was reset, and with it its whole histogram: both count from 0
    // again. A sum can fall by itself.
    if (before.some((value, i) => this.series[i]!.name.part !== 'sum' && readings[i]! < value))
      this.addToGone(before);
    return readings;
  }

  /** Adds the last readings of an ended process to the gone. */
  addToGone(readings: readonly number[]): void {
    for (const [i, value] of readings.entries()) this.series[i]!.gone.add(value);
  }

  /** Adds counts that were kept, as parts of exact sums, to the gone. */
  addParts({ series }: Group, values: readonly { readonly sum: readonly number[] }[]): void {
    for (const { key, at } of series) this.series[this.#places.get(key)!]!.gone.addAll(values[at]?.sum ?? []);
  }

  /** Adds up the gone and the last readings of the living processes. */
  metric(readings: readonly (readonly number[])[]): Metric {
    const sum = new ExactSum();
    const samples = this.series.map(({ name: series, gone }, i) => {
      sum.clear();
      sum.addSum(gone);
      for (const last of readings) sum.add(last[i] ?? 0);
      return { series, value: sum.value };
    });
    return { labels: this.#labels, samples, ...(this.start < Infinity && { start: this.start }) };
  }
}
