import { beginFamily, labelKey, labelText } from './exposition.js';
import { boundOf } from './histogram-shape.js';
import { isSample, mergeOf } from './gauge-merge.js';
import type { Slices } from './slices.js';
import type { MetricType, Snapshot, SnapshotMetric, SnapshotValue } from './snapshot.js';
import type { TextBuffer } from './text-buffer.js';

/** The gauges that are in a scrape: those of a process that answered when it was last asked. */
export interface Live {
  readonly snapshot: Snapshot;
  /** Which worker, for the `worker` label; without it gauges are merged as they are. */
  readonly slot?: number;
}

interface Series {
  readonly text: string;
  /** The upper bound of a bucket; NaN for other series. */
  readonly bound: number;
  value: number;
}

interface Family {
  readonly help: string;
  readonly type: MetricType;
  /** Counters and the like: by the labels without `le`, then by series. */
  readonly groups: Map<string, Map<string, Series>>;
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

  /** `reserved` are names that a snapshot may not take. */
  constructor(reserved: Iterable<string>) {
    for (const name of reserved) this.#names.set(name, '');
  }

  /** Takes in the counters, histograms and summaries' totals of a snapshot. */
  add(source: MetricSource, snapshot: Snapshot): void {
    for (const metric of snapshot.metrics) {
      const family = this.#family(metric);
      if (!family || metric.type === 'gauge' || metric.aggregator === 'omit') continue;
      for (const [group, values] of groupsOf(metric)) addGroup(family, source, group, values);
    }
  }

  /** Appends the families with their values; `live` are the processes whose gauges count. */
  async render(live: readonly Live[], text: TextBuffer, slices: Slices): Promise<void> {
    const gauges = new Map<string, string>();
    for (const [name, entries] of this.#liveGauges(live)) {
      gauges.set(name, gaugeLines(name, entries));
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

  #liveGauges(live: readonly Live[]): Map<string, LiveGauge[]> {
    const gauges = new Map<string, LiveGauge[]>();
    for (const { snapshot, slot } of live) {
      for (const gauge of snapshot.metrics) {
        if (gauge.type !== 'gauge' || !this.#family(gauge)) continue;
        const entries = gauges.get(gauge.name);
        if (entries) entries.push({ gauge, slot });
        else gauges.set(gauge.name, [{ gauge, slot }]);
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
    const family = { help, type, groups: new Map<string, Map<string, Series>>() };
    this.#families.set(name, family);
    return family;
  }
}

function seriesNames(name: string, type: MetricType): string[] {
  if (type === 'counter' || type === 'gauge') return [name];
  return [name, `${name}_bucket`, `${name}_sum`, `${name}_count`];
}

interface LiveGauge {
  readonly gauge: SnapshotMetric;
  readonly slot: number | undefined;
}

interface Keyed {
  readonly key: string;
  readonly name: string;
  /** Whether it can't fall unless it is set back; a histogram's sum can. */
  readonly counts: boolean;
  readonly value: SnapshotValue;
}

/** A metric's values by their labels without `le`. Of a summary only sum and count: quantiles can't be merged. */
function groupsOf(metric: SnapshotMetric): Map<string, Keyed[]> {
  const groups = new Map<string, Keyed[]>();
  for (const value of metric.values) {
    const name = value.metricName ?? metric.name;
    if (metric.type === 'summary' && name === metric.name) continue;
    const { le, ...shared } = value.labels;
    const group = metric.name + labelKey(metric.type === 'histogram' ? shared : value.labels);
    const counts = name !== `${metric.name}_sum`;
    const keyed = { key: `${name} ${le ?? ''} ${group}`, name, counts, value };
    const values = groups.get(group);
    if (values) values.push(keyed);
    else groups.set(group, [keyed]);
  }
  return groups;
}

function addGroup(family: Family, source: MetricSource, group: string, values: readonly Keyed[]): void {
  let last = source.last.get(group);
  if (!last || values.some((value) => hasFallen(value, last))) source.last.set(group, (last = new Map()));
  let totals = family.groups.get(group);
  if (!totals) family.groups.set(group, (totals = new Map()));
  for (const keyed of values) {
    const { key, value } = keyed;
    seriesOf(totals, keyed).value += value.value - (last.get(key) ?? 0);
    last.set(key, value.value);
  }
}

/** A count that fell was set back, and all of its histogram with it: they count from 0 again. */
function hasFallen({ key, counts, value }: Keyed, last: ReadonlyMap<string, number> | undefined): boolean {
  return counts && value.value < (last?.get(key) ?? 0);
}

function seriesOf(group: Map<string, Series>, { key, name, value }: Keyed): Series {
  let series = group.get(key);
  if (!series) {
    const { le } = value.labels;
    const bound = le === undefined ? NaN : boundOf(le);
    series = { text: name + labelText(Object.entries(value.labels)), bound, value: 0 };
    group.set(key, series);
  }
  return series;
}

function totalLines({ type, groups }: Family): string {
  let text = '';
  for (const group of groups.values()) {
    const series = type === 'histogram' ? ascending([...group.values()]) : group.values();
    for (const { text: name, value } of series) text += `${name} ${value}\n`;
  }
  return text;
}

/**
 * Buckets by their bounds, then sum and count. After a reload with other bounds a new bucket has not seen what is in
 * a smaller one: it has at least that much.
 */
function ascending(series: readonly Series[]): { text: string; value: number }[] {
  const buckets = series.filter(({ bound }) => !Number.isNaN(bound)).toSorted((a, b) => a.bound - b.bound);
  let least = 0;
  const raised = buckets.map(({ text, value }) => ({ text, value: (least = Math.max(least, value)) }));
  return [...raised, ...series.filter(({ bound }) => Number.isNaN(bound))];
}

function gaugeLines(name: string, entries: readonly LiveGauge[]): string {
  const merged = new Map<string, { text: string; values: number[] }>();
  const merge = entries[0] && mergeOf(entries[0].gauge);
  for (const { gauge, slot } of entries) {
    for (const { labels, value } of gauge.values) {
      if (!isSample(gauge, value)) continue;
      const labelled = slot === undefined || 'worker' in labels ? labels : { ...labels, worker: slot };
      const key = labelKey(labelled);
      const series = merged.get(key);
      if (series) series.values.push(value);
      else merged.set(key, { text: name + labelText(Object.entries(labelled)), values: [value] });
    }
  }
  let text = '';
  for (const { text: series, values } of merged.values()) {
    // One worker's own value needs no merging, even where prom-client would leave it out.
    const value = merge ? merge(values) : entries[0]?.slot === undefined ? undefined : values[0];
    if (value !== undefined && Number.isFinite(value)) text += `${series} ${value}\n`;
  }
  return text;
}
