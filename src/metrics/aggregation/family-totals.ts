import type { Slices } from '../event-loop-turns.js';
import {
  isGauge,
  type MetricType,
  type Snapshot,
  type SnapshotMetric,
  type SnapshotValue,
} from '../snapshot/snapshot.js';
import { ByShape } from './by-shape.js';
import type { Family, Metric } from './families.js';
import { gaugeSeries, mergeGauge, type ProcessGauge } from './gauge-merge.js';
import { GroupTotal } from './group-total.js';
import { type Group, groupsOf } from './series-groups.js';

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

interface FamilyTotal {
  readonly name: string;
  help: string;
  readonly type: MetricType;
  /** The birth of the youngest process that has it. */
  birth: number;
  /** The names of its labels, if that process has it as a durable counter. */
  labelNames: readonly string[] | undefined;
  /** The processes that have it and have not ended. */
  readonly readers: Set<FamilyReadings>;
  readonly groups: Map<string, GroupTotal>;
}

/** The last readings of one process. */
export class FamilyReadings {
  readonly last = new Map<GroupTotal, readonly number[]>();

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
  readonly #groups = new ByShape<readonly Group[]>();
  readonly #gauges = new ByShape<ProcessGauge['series']>();
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
      const groups = isGauge(metric.type) ? [] : this.#groups.of(metric, () => groupsOf(metric));
      const family = this.#family(metric, groups, readings.birth);
      family?.readers.add(readings);
      if (!family || metric.aggregator === 'omit') continue;
      for (const group of groups) {
        const total = totalOf(family, group);
        readings.last.set(total, total.read(readings.last.get(total), group, metric));
      }
    }
  }

  /** Adds the counts of an ended process to the gone. */
  retire(readings: FamilyReadings): void {
    for (const [total, values] of readings.last) total.addToGone(values);
    this.forget(readings);
  }

  /** Drops the counts of an ended process. */
  forget(readings: FamilyReadings): void {
    readings.last.clear();
    for (const { readers } of this.#families.values()) readers.delete(readings);
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
      if (family) for (const group of groups) totalOf(family, group).addParts(group, values);
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
        metrics.push(total.metric(readingsOf(total, processes)));
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
        const series = this.#gauges.of(metric, () => gaugeSeries(metric, slot));
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
      if (birth >= known.birth)
        Object.assign(known, { birth, help: metric.help, labelNames: metric.labelNames });
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
   * A family that only ended processes have, none of them younger, gives its names up.
   */
  #define({ name, help, type, labelNames }: SnapshotMetric, birth: number): FamilyTotal | undefined {
    const names = seriesNames(name, type);
    for (const one of names) {
      const owner = this.#families.get(this.#names.get(one) ?? '');
      if (owner?.readers.size === 0 && owner.birth <= birth) this.#remove(owner);
    }
    if (names.some((one) => this.#names.has(one))) return undefined;
    for (const one of names) this.#names.set(one, name);
    const groups = new Map<string, GroupTotal>();
    const readers = new Set<FamilyReadings>();
    const family = { name, help, type, birth, labelNames, readers, groups };
    this.#families.set(name, family);
    return family;
  }

  #remove({ name, type }: FamilyTotal): void {
    this.#families.delete(name);
    for (const one of seriesNames(name, type)) this.#names.delete(one);
  }
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

function totalOf({ groups }: FamilyTotal, group: Group): GroupTotal {
  let total = groups.get(group.key);
  if (!total) groups.set(group.key, (total = new GroupTotal(group)));
  total.extend(group);
  return total;
}

function readingsOf(total: GroupTotal, processes: Processes): (readonly number[])[] {
  const readings: (readonly number[])[] = [];
  for (const { families } of processes) {
    const last = families.last.get(total);
    if (last) readings.push(last);
  }
  return readings;
}
