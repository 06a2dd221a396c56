import type { Slices } from '../event-loop-turns.js';
import { boundOf } from '../snapshot/histogram-shape.js';
import { labelKey, labelText } from '../snapshot/label-text.js';
import {
  isGauge,
  type Labels,
  type MetricType,
  type Snapshot,
  type SnapshotMetric,
  type SnapshotValue,
} from '../snapshot/snapshot.js';
import { ExactSum } from './exact-sum.js';
import type { Family, Metric, Series } from './families.js';
import { gaugeSeries, mergeGauge, type ProcessGauge } from './gauge-merge.js';

/** A process whose gauges are in a scrape, because it answered when it was last asked. */
export interface Live {
  readonly snapshot: Snapshot;
  /** The number of the worker, for the `worker` label; without it gauges are merged. */
  readonly slot?: number;
}

/** The counts of a counter, histogram or summary. They can be kept as JSON. */
export interface CountedMetric extends Omit<SnapshotMetric, 'values' | 'shape'> {
  /** The values; `sum` has the parts of an `ExactSum`. */
  readonly values: readonly (Omit<SnapshotValue, 'value'> & { readonly sum: readonly number[] })[];
}

/** The series of a process that have the same labels but for `le`. */
interface Group {
  readonly key: string;
  readonly labels: Labels;
  /** The bounds of a histogram's buckets as a text, to be compared. */
  readonly bounds: string;
  /** The time since which it counts, in ms since 1970; Infinity if it is not known. */
  readonly start: number;
  readonly series: readonly PlacedSeries[];
}

interface PlacedSeries extends Series {
  readonly key: string;
  /** The index among the metric's values. */
  readonly at: number;
}

/** The totals of a group over all processes. */
interface GroupTotal {
  readonly labels: Labels;
  readonly bounds: string;
  start: number;
  /** The index of each series, by its key, in `series` and in each process's readings. */
  readonly places: Map<string, number>;
  readonly series: { readonly name: PlacedSeries; readonly gone: ExactSum }[];
}

interface FamilyTotal {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  /** The birth of the youngest process that has it. */
  birth: number;
  /** Where that process has it as a durable counter. */
  labelNames: readonly string[] | undefined;
  readonly groups: Map<string, GroupTotal>;
}

/** The last readings of one process. */
export class FamilyReadings {
  readonly last = new Map<GroupTotal, number[]>();

  /** @param birth is larger for a younger process */
  constructor(readonly birth: number) {}
}

type Processes = ReadonlySet<{ readonly families: FamilyReadings }>;

/** The birth of ended processes, which came before all others. */
const BEFORE_ALL = -Infinity;

/**
 * The metrics of all processes' registries as one. Counters and histograms are totals of the ended
 * processes and of the last readings of the others, so they outlive processes and never fall. Gauges are as
 * the processes last gave them.
 *
 * A metric whose type or buckets differ between processes can't be added up, nor can a durable counter
 * whose labels differ: the youngest process's definition counts, from nothing.
 */
export class FamilyTotals {
  readonly #families = new Map<string, FamilyTotal>();
  /** The family that has a name of a series. */
  readonly #names = new Map<string, string>();
  /** Groups and gauges by `shape`. A process keeps its slot, and so the labels of its gauges. */
  readonly #groups = new WeakMap<object, readonly Group[]>();
  readonly #gauges = new WeakMap<object, ProcessGauge['series']>();
  readonly #onRedefined: (name: string) => void;

  /**
   * @param reserved names that a snapshot may not take
   * @param onRedefined called with the name of a metric that begins anew
   */
  constructor(reserved: Iterable<string>, onRedefined: (name: string) => void = () => {}) {
    for (const name of reserved) this.#names.set(name, '');
    this.#onRedefined = onRedefined;
  }

  /** Takes in the counters, histograms and summaries' totals of a snapshot. */
  read(readings: FamilyReadings, snapshot: Snapshot): void {
    for (const metric of snapshot.metrics) {
      const groups = isGauge(metric.type) ? [] : remember(this.#groups, metric, () => groupsOf(metric));
      const family = this.#family(metric, groups, readings.birth);
      if (!family || metric.aggregator === 'omit') continue;
      for (const group of groups) readGroup(totalOf(family, group), readings, group, metric);
    }
  }

  /** Adds the counts of an ended process to the gone. */
  retire({ last }: FamilyReadings): void {
    for (const [total, values] of last) addToGone(total, values);
    last.clear();
  }

  /** The counts of ended processes. */
  get gone(): CountedMetric[] {
    return [...this.#families.values()].flatMap(({ name, help, type, groups, labelNames }) => {
      const values = [...groups.values()].flatMap(({ start, series }) =>
        series
          .filter(({ gone }) => gone.parts.length > 0)
          .map(({ name: { part, labels }, gone }) => ({
            ...(part !== 'value' && { metricName: `${name}_${part}` }),
            labels,
            sum: gone.parts,
            ...(start < Infinity && { start }),
          })),
      );
      if (values.length === 0) return [];
      const metric = { name, help, type, aggregator: 'sum', values };
      return [labelNames === undefined ? metric : { ...metric, labelNames }];
    });
  }

  /** Replaces the counts of ended processes. */
  set gone(metrics: readonly CountedMetric[]) {
    for (const { groups } of this.#families.values())
      for (const total of groups.values()) for (const { gone } of total.series) gone.clear();
    for (const { values, ...about } of metrics) {
      const metric = { ...about, values: values.map((value) => ({ ...value, value: 0 })) };
      const groups = groupsOf(metric);
      const family = this.#family(metric, groups, BEFORE_ALL);
      if (family) for (const group of groups) addParts(totalOf(family, group), group, values);
    }
  }

  /** Adds up all families but durable counters; `live` are the processes whose gauges count. */
  families(processes: Processes, live: readonly Live[], slices: Slices): Promise<Family[]> {
    const others = [...this.#families.values()].filter(({ labelNames }) => labelNames === undefined);
    return this.#added(others, processes, slices, this.#liveGauges(live));
  }

  /** Adds up the durable counters, which are up to date without an answer of any process. */
  durable(processes: Processes, slices: Slices): Promise<Family[]> {
    const counters = [...this.#families.values()].filter(({ labelNames }) => labelNames !== undefined);
    return this.#added(counters, processes, slices);
  }

  async #added(
    families: readonly FamilyTotal[],
    processes: Processes,
    slices: Slices,
    gauges: ReadonlyMap<string, readonly ProcessGauge[]> = new Map(),
  ): Promise<Family[]> {
    const all: Family[] = [];
    for (const { name, help, type, groups } of families) {
      const metrics: Metric[] = isGauge(type) ? mergeGauge(gauges.get(name) ?? []) : [];
      for (const total of groups.values()) {
        metrics.push(metricOf(total, processes));
        if (slices.over) await slices.next();
      }
      if (metrics.length > 0) all.push({ name, help, type, metrics });
      if (slices.over) await slices.next();
    }
    return all;
  }

  #liveGauges(live: readonly Live[]): Map<string, ProcessGauge[]> {
    const gauges = new Map<string, ProcessGauge[]>();
    for (const { snapshot, slot } of live) {
      for (const metric of snapshot.metrics) {
        if (!isGauge(metric.type) || this.#families.get(metric.name)?.type !== metric.type) continue;
        const series = remember(this.#gauges, metric, () => gaugeSeries(metric, slot));
        const gauge = { metric, series, isApart: slot !== undefined };
        const known = gauges.get(metric.name);
        if (known) known.push(gauge);
        else gauges.set(metric.name, [gauge]);
      }
    }
    return gauges;
  }

  /**
   * Returns the family of a metric; undefined if its names belong to another, or a younger
   * process has defined it otherwise.
   */
  #family(metric: SnapshotMetric, groups: readonly Group[], birth: number): FamilyTotal | undefined {
    const known = this.#families.get(metric.name);
    if (known && isSame(known, metric, groups)) {
      if (birth >= known.birth) Object.assign(known, { birth, labelNames: metric.labelNames });
      return known;
    }
    if (known && birth < known.birth) return undefined;
    if (known) this.#remove(known);
    const family = this.#define(metric, birth);
    if (known) this.#onRedefined(metric.name);
    return family;
  }

  /**
   * Makes a family; undefined if another family has one of its names, since every series may exist only once.
   * A family that only ended processes have counted gives its names up.
   */
  #define({ name, help, type, labelNames }: SnapshotMetric, birth: number): FamilyTotal | undefined {
    const names = seriesNames(name, type);
    for (const one of names) {
      const owner = this.#families.get(this.#names.get(one) ?? '');
      if (owner?.birth === BEFORE_ALL) this.#remove(owner);
    }
    if (names.some((one) => this.#names.has(one))) return undefined;
    for (const one of names) this.#names.set(one, name);
    const groups = new Map<string, GroupTotal>();
    const family = { name, help, type, birth, labelNames, groups };
    this.#families.set(name, family);
    return family;
  }

  #remove({ name, type }: FamilyTotal): void {
    this.#families.delete(name);
    for (const one of seriesNames(name, type)) this.#names.delete(one);
  }
}

/** Calls `make` once for all metrics of one shape, which differ only in their numbers. */
function remember<T>(known: WeakMap<object, T>, { shape }: SnapshotMetric, make: () => T): T {
  if (!shape) return make();
  const old = known.get(shape);
  if (old) return old;
  const made = make();
  known.set(shape, made);
  return made;
}

function seriesNames(name: string, type: MetricType): string[] {
  if (type === 'counter' || isGauge(type)) return [name];
  return [name, `${name}_bucket`, `${name}_sum`, `${name}_count`];
}

function isSame(family: FamilyTotal, metric: SnapshotMetric, groups: readonly Group[]): boolean {
  if (family.type !== metric.type || haveOtherLabels(family, metric)) return false;
  return groups.every(({ key, bounds }) => (family.groups.get(key)?.bounds ?? bounds) === bounds);
}

/**
 * Tells whether both are durable counters, and their labels differ. The series of other
 * metrics may differ in labels.
 */
function haveOtherLabels({ labelNames: a }: FamilyTotal, { labelNames: b }: SnapshotMetric): boolean {
  return a !== undefined && b !== undefined && a.toSorted().join() !== b.toSorted().join();
}

/**
 * Groups a metric's series by their labels without `le`. A summary keeps only sum and
 * count: quantiles can't be merged.
 */
function groupsOf(metric: SnapshotMetric): Group[] {
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

function totalOf({ groups }: FamilyTotal, { key, labels, bounds, start, series }: Group): GroupTotal {
  let total = groups.get(key);
  if (!total) groups.set(key, (total = { labels, bounds, start, places: new Map(), series: [] }));
  total.start = Math.min(total.start, start);
  for (const name of series) {
    if (total.places.has(name.key)) continue;
    total.places.set(name.key, total.series.push({ name, gone: new ExactSum() }) - 1);
  }
  return total;
}

function readGroup(
  total: GroupTotal,
  { last }: FamilyReadings,
  { series }: Group,
  { values, labelNames }: SnapshotMetric,
): void {
  const readings = Array<number>(total.series.length).fill(0);
  for (const { key, at } of series) readings[total.places.get(key)!] = values[at]?.value ?? 0;
  const before = last.get(total);
  // A durable counter never falls: this reading is older, from a snapshot or from a
  // ledger that can't be written.
  if (labelNames && before?.some((value, i) => value > readings[i]!)) return;
  // A count that fell was reset, and with it its whole histogram: both count from 0
  // again. A sum can fall by itself.
  if (before?.some((value, i) => total.series[i]!.name.part !== 'sum' && readings[i]! < value))
    addToGone(total, before);
  last.set(total, readings);
}

function addToGone(total: GroupTotal, values: readonly number[]): void {
  for (const [i, value] of values.entries()) total.series[i]!.gone.add(value);
}

function addParts(total: GroupTotal, { series }: Group, values: CountedMetric['values']): void {
  for (const { key, at } of series) total.series[total.places.get(key)!]!.gone.addAll(values[at]?.sum ?? []);
}

function metricOf(total: GroupTotal, processes: Processes): Metric {
  const readings: (readonly number[])[] = [];
  for (const { families } of processes) {
    const last = families.last.get(total);
    if (last) readings.push(last);
  }
  const sum = new ExactSum();
  const samples = total.series.map(({ name: series, gone }, i) => {
    sum.clear();
    sum.addSum(gone);
    for (const last of readings) sum.add(last[i] ?? 0);
    return { series, value: sum.value };
  });
  return { labels: total.labels, samples, ...(total.start < Infinity && { start: total.start }) };
}
