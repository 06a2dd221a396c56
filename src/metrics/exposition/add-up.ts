import { addExactly, rounded, type ExactSum } from './exact-sum.js';
import type { RowData } from '../ledger/ledger-reader.js';
import type { RowLabels } from '../request-metrics.js';
import type { Snapshot, SnapshotMetric, SnapshotValue } from '../snapshot/snapshot.js';

/** What several processes have counted, as if one had. It can be kept as JSON. */
export interface Counts {
  readonly metrics: readonly (Omit<SnapshotMetric, 'values'> & { readonly values: readonly Series[] })[];
  readonly rows: readonly CountedRow[];
}

interface Series extends Omit<SnapshotValue, 'value'> {
  readonly sum: ExactSum;
}

interface CountedRow {
  readonly labels: RowLabels;
  readonly counts: readonly number[];
  readonly seconds: ExactSum;
}

export const NOTHING: Counts = { metrics: [], rows: [] };

/** Adds the counters, histograms and request counts of these to what there is. Gauges are not counts. */
export function addUp(counts: Counts, snapshots: readonly Snapshot[]): Counts {
  return {
    metrics: addMetrics(
      counts.metrics,
      snapshots.flatMap(({ metrics }) => metrics),
    ),
    rows: addRows(
      counts.rows,
      snapshots.flatMap(({ rows }) => rows),
    ),
  };
}

/** The counts as numbers. */
export function toSnapshot({ metrics, rows }: Counts): Snapshot {
  return {
    metrics: metrics.map((metric) => ({
      ...metric,
      values: metric.values.map(({ sum, ...series }) => ({ ...series, value: rounded(sum) })),
    })),
    rows: rows.map(({ labels, counts, seconds }) => ({ labels, cells: [...counts, rounded(seconds)] })),
  };
}

interface Family {
  readonly about: Omit<SnapshotMetric, 'values'>;
  readonly series: Map<string, Series>;
}

function addMetrics(known: Counts['metrics'], more: readonly SnapshotMetric[]): Counts['metrics'] {
  const families = new Map<string, Family>();
  for (const { values, ...about } of known) {
    const series = new Map(values.map((value) => [seriesKey(value), value]));
    families.set(familyKey(about), { about, series });
  }
  for (const { values, ...about } of more) {
    if (about.type === 'gauge' || about.aggregator === 'omit') continue;
    const family = families.get(familyKey(about)) ?? { about, series: new Map<string, Series>() };
    families.set(familyKey(about), family);
    for (const { value, ...series } of values) {
      const key = seriesKey(series);
      family.series.set(key, { ...series, sum: addExactly(family.series.get(key)?.sum ?? [], value) });
    }
  }
  return [...families.values()].map(({ about, series }) => ({ ...about, values: [...series.values()] }));
}

function familyKey({ type, name }: Pick<SnapshotMetric, 'type' | 'name'>): string {
  return `${type} ${name}`;
}

/** The same for the same labels, whatever their order. */
function seriesKey({ metricName, labels }: Omit<SnapshotValue, 'value'>): string {
  return JSON.stringify([metricName, Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

function addRows(known: readonly CountedRow[], more: readonly RowData[]): CountedRow[] {
  const rows = new Map(known.map((row) => [rowKey(row), row]));
  for (const { labels, cells } of more) {
    const row = rows.get(rowKey({ labels }));
    rows.set(rowKey({ labels }), {
      labels,
      counts: Array.from(cells.slice(0, -1), (count, i) => count + (row?.counts[i] ?? 0)),
      seconds: addExactly(row?.seconds ?? [], cells.at(-1) ?? 0),
    });
  }
  return [...rows.values()];
}

/** All request counts of a process: of a row that it could not write any more, its ledger has only the beginning. */
export function allRows(ledger: readonly RowData[], memoryOnly: readonly RowData[]): RowData[] {
  return [...new Map([...ledger, ...memoryOnly].map((row) => [rowKey(row), row])).values()];
}

function rowKey({ labels }: { readonly labels: RowLabels }): string {
  return `${labels.method}\n${labels.status}\n${labels.endpoint}`;
}
