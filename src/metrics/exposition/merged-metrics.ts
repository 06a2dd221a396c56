import { beginFamily, labelKey, labelText } from './text-format.js';
import { boundOf } from '../snapshot/histogram-shape.js';
import { gaugeLines, gaugeSeries, type ProcessGauge } from './gauge-merge.js';
import type { Slices } from './slices.js';
import type { MetricType, Snapshot, SnapshotMetric, SnapshotValue } from '../snapshot/snapshot.js';
import type { TextBuffer } from './text-buffer.js';

/** The gauges that are in a scrape: those of a process that answered when it was last asked. */
export interface Live {
  readonly snapshot: Snapshot;
  /** Which worker, for the `worker` label; without it gauges are merged as they are. */
  readonly slot?: number;
}

/** What of a series does not change. */
interface SeriesName {
  readonly key: string;
  readonly text: string;
  /** The upper bound of a bucket; NaN for other series. */
  readonly bound: number;
  /** Whether it can't fall unless it is set back; a histogram's sum can. */
  readonly counts: boolean;
  /** Which of the metric's values it is. */
  readonly at: number;
}

/** A metric's series that have the same labels but for `le`. */
interface Group {
  readonly key: string;
  readonly series: readonly SeriesName[];
}

interface Total {
  readonly name: SeriesName;
  value: number;
}

interface Family {
  readonly help: string;
  readonly type: MetricType;
  /** Counters and the like: by the labels without `le`, then by series. */
  readonly groups: Map<string, Map<string, Total>>;
}

/** The last readings of one process: by group, then by series. */
export class MetricSource {
  readonly last = new Map<string, Map<string, number>>();
}

/**
 * The metrics of all processes' registries as one. Counters and histograms are totals: a snapshot adds what came on top of
 * the last one of that process, so they outlive processes and never fall. Gauges are as the processes last gave them.
 */
export class MergedMetrics {
  readonly #families = new Map<string, Family>();
  /** Which family a series' name belongs to. */
  readonly #names = new Map<string, string>();
  /** By `shape`. A process keeps its slot, and so its gauges' labels. */
  readonly #groups = new WeakMap<object, readonly Group[]>();
  readonly #gauges = new WeakMap<object, ProcessGauge['series']>();

  /** `reserved` are names that a snapshot may not take. */
  constructor(reserved: Iterable<string>) {
    for (const name of reserved) this.#names.set(name, '');
  }

  /** Takes in the counters, histograms and summaries' totals of a snapshot. */
  add(source: MetricSource, snapshot: Snapshot): void {
    for (const metric of snapshot.metrics) {
      const family = this.#family(metric);
      if (!family || metric.type === 'gauge' || metric.aggregator === 'omit') continue;
      const groups = remember(this.#groups, metric, () => groupsOf(metric));
      for (const group of groups) addGroup(family, source, group, metric.values);
    }
  }

  /** Appends the families with their values; `live` are the processes whose gauges count. */
  async render(live: readonly Live[], text: TextBuffer, slices: Slices): Promise<void> {
    const gauges = new Map<string, string>();
    for (const [name, processes] of this.#liveGauges(live)) {
      gauges.set(name, gaugeLines(processes));
      if (slices.over) await slices.next();
    }
    for (const [name, family] of this.#families) {
      const lines = family.type === 'gauge' ? gauges.get(name) : totalLines(family);
      if (lines) {
        beginFamily(text, name, family.help, family.type);
        text.append(lines);
      }
      if (slices.over) await slices.next();
    }
  }

  #liveGauges(live: readonly Live[]): Map<string, ProcessGauge[]> {
    const gauges = new Map<string, ProcessGauge[]>();
    for (const { snapshot, slot } of live) {
      for (const metric of snapshot.metrics) {
        if (metric.type !== 'gauge' || !this.#family(metric)) continue;
        const series = remember(this.#gauges, metric, () => gaugeSeries(metric, slot));
        const gauge = { metric, series, isApart: slot !== undefined };
        const known = gauges.get(metric.name);
        if (known) known.push(gauge);
        else gauges.set(metric.name, [gauge]);
      }
    }
    return gauges;
  }

  /** The family of a metric; undefined where its names are another's, as every series may be there only once. */
  #family({ name, help, type }: SnapshotMetric): Family | undefined {
    const known = this.#families.get(name);
    if (known) return known.type === type ? known : undefined;
    const names = seriesNames(name, type);
    if (names.some((one) => this.#names.has(one))) return undefined;
    for (const one of names) this.#names.set(one, name);
    const family = { help, type, groups: new Map<string, Map<string, Total>>() };
    this.#families.set(name, family);
    return family;
  }
}

/** What `make` gives for a metric, made once for all that are the same but for their numbers. */
function remember<T>(known: WeakMap<object, T>, { shape }: SnapshotMetric, make: () => T): T {
  if (!shape) return make();
  const old = known.get(shape);
  if (old) return old;
  const made = make();
  known.set(shape, made);
  return made;
}

function seriesNames(name: string, type: MetricType): string[] {
  if (type === 'counter' || type === 'gauge') return [name];
  return [name, `${name}_bucket`, `${name}_sum`, `${name}_count`];
}

/** A metric's series by their labels without `le`. Of a summary only sum and count: quantiles can't be merged. */
function groupsOf(metric: SnapshotMetric): Group[] {
  const groups = new Map<string, SeriesName[]>();
  for (const [at, { metricName: name = metric.name, labels }] of metric.values.entries()) {
    if (metric.type === 'summary' && name === metric.name) continue;
    const { le, ...shared } = labels;
    const group = metric.name + labelKey(metric.type === 'histogram' ? shared : labels);
    const series = {
      key: `${name} ${le ?? ''} ${group}`,
      text: name + labelText(Object.entries(labels)),
      bound: le === undefined ? NaN : boundOf(le),
      counts: name !== `${metric.name}_sum`,
      at,
    };
    const known = groups.get(group);
    if (known) known.push(series);
    else groups.set(group, [series]);
  }
  return Array.from(groups, ([key, series]) => ({ key, series }));
}

function addGroup(
  family: Family,
  source: MetricSource,
  { key: group, series }: Group,
  values: readonly SnapshotValue[],
): void {
  const valueOf = ({ at }: SeriesName): number => values[at]?.value ?? 0;
  let last = source.last.get(group);
  // A count that fell was set back, and all of its histogram with it: they count from 0 again.
  if (!last || series.some((one) => one.counts && valueOf(one) < (last?.get(one.key) ?? 0)))
    source.last.set(group, (last = new Map()));
  let totals = family.groups.get(group);
  if (!totals) family.groups.set(group, (totals = new Map()));
  for (const name of series) {
    const value = valueOf(name);
    let total = totals.get(name.key);
    if (!total) totals.set(name.key, (total = { name, value: 0 }));
    total.value += value - (last.get(name.key) ?? 0);
    last.set(name.key, value);
  }
}

function totalLines({ type, groups }: Family): string {
  let text = '';
  for (const group of groups.values()) {
    const totals = type === 'histogram' ? ascending([...group.values()]) : group.values();
    for (const { name, value } of totals) text += `${name.text} ${value}\n`;
  }
  return text;
}

/**
 * Buckets by their bounds, then sum and count. After a reload with other bounds a new bucket has not seen what is in
 * a smaller one: it has at least that much.
 */
function ascending(totals: readonly Total[]): Total[] {
  const isBucket = ({ name }: Total): boolean => !Number.isNaN(name.bound);
  const buckets = totals.filter(isBucket).toSorted((a, b) => a.name.bound - b.name.bound);
  let least = 0;
  const raised = buckets.map(({ name, value }) => ({ name, value: (least = Math.max(least, value)) }));
  return [...raised, ...totals.filter((total) => !isBucket(total))];
}
