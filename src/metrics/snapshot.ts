import type { Registry } from 'prom-client';
import { areWholeHistograms } from './histogram-shape.js';
import { areCells, type RowData } from './ledger-reader.js';
import type { Row } from './request-metrics.js';

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary';
export type Labels = Readonly<Record<string, string | number>>;

export interface SnapshotValue {
  /** The series' own name, where it is not the metric's: a histogram's end with _bucket, _sum or _count. */
  readonly metricName?: string;
  readonly labels: Labels;
  readonly value: number;
}

/** A metric as prom-client's `getMetricsAsJSON` has it. */
export interface SnapshotMetric {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  /** How prom-client is told to merge gauges: sum, first, min, max, average, omit. */
  readonly aggregator: string;
  readonly values: readonly SnapshotValue[];
}

/** What a process says about itself. */
export interface Snapshot {
  readonly metrics: readonly SnapshotMetric[];
  /** The request counts that no file holds. */
  readonly rows: readonly RowData[];
}

/** Takes a snapshot of this process. A metric whose collection fails is left out, the others are there. */
export async function takeSnapshot(registry: Registry, memoryOnly: readonly Row[]): Promise<Snapshot> {
  return parse(await collect(registry), rowsOf(memoryOnly));
}

/** What a process says of itself, for another to read with `readSnapshot`: JSON takes a third of what a structured clone does. */
export async function snapshotText(registry: Registry, memoryOnly: readonly Row[]): Promise<string> {
  const metrics = await collect(registry);
  const rows = rowsOf(memoryOnly);
  try {
    return JSON.stringify({ metrics, rows });
  } catch {
    // prom-client takes any label value, but JSON has no BigInt, and nothing that holds itself.
    return JSON.stringify(parse(metrics, rows));
  }
}

function rowsOf(memoryOnly: readonly Row[]): RowData[] {
  return memoryOnly.map(({ labels, cells }) => ({ labels, cells: [...cells] }));
}

async function collect(registry: Registry): Promise<unknown[]> {
  try {
    return await registry.getMetricsAsJSON();
  } catch {
    const names = registry.getMetricsAsArray().map(({ name }) => name);
    const settled = await Promise.allSettled(
      names.map(async (name) => registry.getSingleMetric(name)?.get()),
    );
    return settled.map((one) => (one.status === 'fulfilled' ? one.value : undefined));
  }
}

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
/** A name that begins with two underscores is reserved (Prometheus, "Metric and label naming"). */
const LABEL_NAME = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;
const TYPES: readonly string[] = ['counter', 'gauge', 'histogram', 'summary'] satisfies MetricType[];

/** Undefined for a text that is no snapshot; what of it is malformed is left out, as by `parseSnapshot`. */
export function readSnapshot(text: string): Snapshot | undefined {
  try {
    return parseSnapshot(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/**
 * Checks what another process sent. Undefined when it is no snapshot at all; a metric, value or row that is malformed is
 * left out, so that it can't spoil the rest. NaN and the infinities become null on the way through JSON: values that are one
 * of them, or have one for a label, are left out too.
 */
export function parseSnapshot(input: unknown): Snapshot | undefined {
  if (!isObject(input) || !Array.isArray(input['metrics']) || !Array.isArray(input['rows'])) return undefined;
  return parse(input['metrics'], input['rows']);
}

function parse(metrics: readonly unknown[], rows: readonly unknown[]): Snapshot {
  return { metrics: metrics.flatMap(parseMetric), rows: rows.flatMap(parseRow) };
}

function parseMetric(input: unknown): SnapshotMetric[] {
  if (!isObject(input)) return [];
  const { name, help, type, aggregator = 'sum', values: given } = input;
  if (typeof name !== 'string' || !METRIC_NAME.test(name) || typeof help !== 'string') return [];
  if (!isMetricType(type) || typeof aggregator !== 'string' || !Array.isArray(given)) return [];
  const values = given.flatMap((value) => parseValue(value, name, type));
  // A histogram that lacks a value would be wrong as a whole.
  const isWhole = values.length === given.length && areWholeHistograms(name, values);
  if (type === 'histogram' && !isWhole) return [];
  return [{ name, help, type, aggregator, values }];
}

function isMetricType(type: unknown): type is MetricType {
  return typeof type === 'string' && TYPES.includes(type);
}

function parseValue(input: unknown, family: string, type: MetricType): SnapshotValue[] {
  if (!isObject(input)) return [];
  const { value, metricName = family, labels: given = {} } = input;
  if (typeof value !== 'number' || !Number.isFinite(value)) return [];
  // What counts can't be negative; gauges and sums can.
  if (type !== 'gauge' && metricName !== `${family}_sum` && value < 0) return [];
  const labels = parseLabels(given);
  if (!labels || typeof metricName !== 'string') return [];
  if (!isSeriesOf(metricName, family, type, labels)) return [];
  return [metricName === family ? { labels, value } : { metricName, labels, value }];
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

function parseRow(input: unknown): RowData[] {
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

function isObject(input: unknown): input is Record<string, unknown> {
  return typeof input === 'object' && input !== null;
}
