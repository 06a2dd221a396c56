import type { RowData } from '../ledger/ledger-reader.js';

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped';
/** Tells whether values are the last ones that a process gave, and not counts that are added up. */
export function isGauge(type: MetricType): boolean {
  return type === 'gauge' || type === 'untyped';
}

export type Labels = Readonly<Record<string, string | number>>;

export interface SnapshotValue {
  /** The name of the series if it is not the metric's: a histogram's end with _bucket, _sum or _count. */
  readonly metricName?: string;
  readonly labels: Labels;
  readonly value: number;
  /** The time since which it counts, in ms since 1970. */
  readonly start?: number;
}

/** A metric in the form of prom-client's `getMetricsAsJSON`. */
export interface SnapshotMetric {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  /** The way in which prom-client merges gauges: sum, first, min, max, average, omit. */
  readonly aggregator: string;
  readonly values: readonly SnapshotValue[];
  /**
   * The labels of each of its series, if it is a durable counter, which never falls while its process lives.
   */
  readonly labelNames?: readonly string[];
  /** An object that is the same in all snapshots of a reader as long as only the metric's numbers change. */
  readonly shape?: object;
}

/** The metrics of a process, as it sends them to another. */
export interface Snapshot {
  readonly metrics: readonly SnapshotMetric[];
  /** The request counts that no file holds. */
  readonly rows: readonly RowData[];
}
