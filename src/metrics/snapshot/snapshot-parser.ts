import { areCells, type RowData } from '../ledger/ledger-reader.js';
import { areCumulative, histogramsOf } from './histogram-shape.js';
import type { Labels, MetricType, Snapshot, SnapshotMetric, SnapshotValue } from './snapshot.js';

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
/** A name that begins with two underscores is reserved (Prometheus, "Metric and label naming"). */
const LABEL_NAME = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;
const TYPES: readonly string[] = ['counter', 'gauge', 'histogram', 'summary'] satisfies MetricType[];

/**
 * Checks what another process sent. Undefined when it is no snapshot at all; a metric, value or row that is malformed is
 * left out, so that it can't spoil the rest. NaN and the infinities become null on the way through JSON: values that are one
 * of them, or have one for a label, are left out too.
 */
export function parseSnapshot(input: unknown): Snapshot | undefined {
  if (!isObject(input) || !Array.isArray(input['metrics']) || !Array.isArray(input['rows'])) return undefined;
  return parse(input['metrics'], input['rows']);
}

/** The metrics and rows of a snapshot, less what of them is malformed. */
export function parse(metrics: readonly unknown[], rows: readonly unknown[]): Snapshot {
  return { metrics: metrics.flatMap(parseMetric), rows: rows.flatMap(parseRow) };
}

export function parseMetric(input: unknown): SnapshotMetric[] {
  if (!isObject(input)) return [];
  const { name, help, type, aggregator = 'sum', values: given } = input;
  if (typeof name !== 'string' || !METRIC_NAME.test(name) || typeof help !== 'string') return [];
  if (!isMetricType(type) || typeof aggregator !== 'string' || !Array.isArray(given)) return [];
  const values = given.flatMap((value) => parseValue(value, name, type));
  // A histogram that lacks a value would be wrong as a whole.
  if (type === 'histogram' && (values.length < given.length || !areHistograms(name, values))) return [];
  return [{ name, help, type, aggregator, values }];
}

function areHistograms(name: string, values: readonly SnapshotValue[]): boolean {
  const histograms = histogramsOf(name, values);
  const numbers = values.map(({ value }) => value);
  return histograms !== undefined && areCumulative(histograms, numbers);
}

function isMetricType(type: unknown): type is MetricType {
  return typeof type === 'string' && TYPES.includes(type);
}

function parseValue(input: unknown, family: string, type: MetricType): SnapshotValue[] {
  if (!isObject(input)) return [];
  const { value, metricName = family, labels: given = {} } = input;
  const labels = parseLabels(given);
  if (!labels || typeof metricName !== 'string' || !isValueOf(value, metricName, family, type)) return [];
  if (!isSeriesOf(metricName, family, type, labels)) return [];
  return [metricName === family ? { labels, value } : { metricName, labels, value }];
}

/** Whether a series can have this value: what counts can't be negative; gauges and sums can. */
export function isValueOf(value: unknown, name: string, family: string, type: MetricType): value is number {
  if (typeof value !== 'number' || !Number.isFinite(value)) return false;
  return value >= 0 || type === 'gauge' || name === `${family}_sum`;
}

function isSeriesOf(name: string, family: string, type: MetricType, labels: Labels): boolean {
  if (type === 'counter' || type === 'gauge') return name === family;
  if (name === `${family}_sum` || name === `${family}_count`) return true;
  return type === 'histogram' ? name === `${family}_bucket` : name === family && 'quantile' in labels;
}

function parseLabels(input: unknown): Labels | undefined {
  if (!isObject(input)) return undefined;
  const labels: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(input)) {
    // prom-client has a label that an observation did not set as undefined.
    if (value === undefined) continue;
    if (!LABEL_NAME.test(name) || (typeof value !== 'string' && typeof value !== 'number')) return undefined;
    labels[name] = value;
  }
  return labels;
}

export function parseRow(input: unknown): RowData[] {
  if (!isObject(input) || !isObject(input['labels']) || !Array.isArray(input['cells'])) return [];
  const { method, endpoint, status } = input['labels'];
  const cells: unknown[] = input['cells'];
  if (typeof method !== 'string' || typeof endpoint !== 'string' || !isStatus(status)) return [];
  if (!cells.every((cell) => typeof cell === 'number') || !areCells(cells)) return [];
  return [{ labels: { method, endpoint, status }, cells }];
}

function isStatus(status: unknown): status is number {
  return typeof status === 'number' && Number.isInteger(status) && status >= 0 && status <= 999;
}

export function isObject(input: unknown): input is Record<string, unknown> {
  return typeof input === 'object' && input !== null;
}
