import type { RowData } from '../ledger/ledger-reader.js';

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped';
/** Whether values are as a process gave them last, not counts that are added up. */
export function isGauge(type: MetricType): boolean {
  return type === 'gauge' || type === 'untyped';
}

export type Labels = Readonly<Record<string, string | number>>;

export interface SnapshotValue {
  /** The series' own name, where it is not the metric's: a histogram's end with _bucket, _sum or _count. */
  readonly metricName?: string;
  readonly labels: Labels;
  readonly value: number;
  /** Since when it counts, in ms since 1970. */
  readonly start?: number;
}

/** A metric as prom-client's `getMetricsAsJSON` has it. */
export interface SnapshotMetric {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  /** How prom-client is told to merge gauges: sum, first, min, max, average, omit. */
  readonly aggregator: string;
  readonly values: readonly SnapshotValue[];
  /** One object for all snapshots of a reader in which the metric is the same but for its numbers. */
  readonly shape?: object;
}

/** What a process says about itself. */
export interface Snapshot {
  readonly metrics: readonly SnapshotMetric[];
  /** The request counts that no file holds. */
  readonly rows: readonly RowData[];
}
