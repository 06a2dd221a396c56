import { areCells, type RowData } from '../ledger/ledger-reader.js';
import { areCumulative, histogramsOf } from './histogram-shape.js';
import { NATIVE_CELLS } from '../native-buckets.js';
import type { Detail, Exemplar } from '../row-detail.js';
import {
  isGauge,
  type Labels,
  type MetricType,
  type Snapshot,
  type SnapshotMetric,
  type SnapshotValue,
} from './snapshot.js';

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
/** A label name. Two underscores at the beginning are reserved (Prometheus, "Metric and label naming"). */
const LABEL_NAME = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;
/** The infinities as they are sent. */
const INFINITIES: ReadonlyMap<unknown, number> = new Map([
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
]);
const TYPES: readonly string[] = [
  'counter',
  'gauge',
  'histogram',
  'summary',
  'untyped',
] satisfies MetricType[];

/**
 * Checks a snapshot of another process. Undefined if it is no snapshot at all. A malformed metric, value or
 * row is left out, so that it can't spoil the rest. So is NaN, and an infinity that is not of a gauge.
 */
export function parseSnapshot(input: unknown): Snapshot | undefined {
  if (!isObject(input) || !Array.isArray(input['metrics']) || !Array.isArray(input['rows'])) return undefined;
  return parse(input['metrics'], input['rows']);
}

/** Makes a snapshot of metrics and rows, without malformed ones. */
export function parse(metrics: readonly unknown[], rows: readonly unknown[]): Snapshot {
  return { metrics: metrics.flatMap(parseMetric), rows: rows.flatMap(parseRow) };
}

export function parseMetric(input: unknown): SnapshotMetric[] {
  if (!isObject(input)) return [];
  const { name, help, type, aggregator = 'sum', values: given, labelNames } = input;
  if (typeof name !== 'string' || !METRIC_NAME.test(name) || typeof help !== 'string') return [];
  if (!isMetricType(type) || typeof aggregator !== 'string' || !Array.isArray(given)) return [];
  const values = given.flatMap((value) => parseValue(value, name, type));
  // A histogram that lacks a value would be wrong as a whole.
  if (type === 'histogram' && (values.length < given.length || !areHistograms(name, values))) return [];
  const metric = { name, help, type, aggregator, values };
  return [areTexts(labelNames) ? { ...metric, labelNames } : metric];
}

function areTexts(input: unknown): input is string[] {
  return Array.isArray(input) && input.every((one) => typeof one === 'string');
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
  const { metricName = family, labels: given = {}, start } = input;
  const value = INFINITIES.get(input['value']) ?? input['value'];
  const labels = parseLabels(given);
  if (!labels || typeof metricName !== 'string' || !isValueOf(value, metricName, family, type)) return [];
  if (!isSeriesOf(metricName, family, type, labels)) return [];
  const named = metricName === family ? { labels, value } : { metricName, labels, value };
  return [isTime(start) ? { ...named, start } : named];
}

/**
 * Tells whether a series can have this value: counts can't be negative, gauges and sums can; only
 * gauges can be infinite.
 */
export function isValueOf(value: unknown, name: string, family: string, type: MetricType): value is number {
  if (typeof value !== 'number' || Number.isNaN(value)) return false;
  if (isGauge(type)) return true;
  return Number.isFinite(value) && (value >= 0 || name === `${family}_sum`);
}

function isSeriesOf(name: string, family: string, type: MetricType, labels: Labels): boolean {
  if (type === 'counter' || isGauge(type)) return name === family;
  if (name === `${family}_sum` || name === `${family}_count`) return true;
  return type === 'histogram' ? name === `${family}_bucket` : name === family && 'quantile' in labels;
}

function parseLabels(input: unknown): Labels | undefined {
  if (!isObject(input)) return undefined;
  const labels: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(input)) {
    // prom-client gives a label that an observation did not set as undefined.
    if (value === undefined) continue;
    if (!LABEL_NAME.test(name)) return undefined;
    if (typeof value === 'string' || typeof value === 'number') labels[name] = value;
    // prom-client writes them as texts, too, although its types forbid them.
    else if (typeof value === 'boolean' || value === null) labels[name] = String(value);
    else return undefined;
  }
  return labels;
}

export function parseRow(input: unknown): RowData[] {
  if (!isObject(input) || !isObject(input['labels']) || !Array.isArray(input['cells'])) return [];
  const { method, endpoint, status } = input['labels'];
  const cells: unknown[] = input['cells'];
  if (typeof method !== 'string' || typeof endpoint !== 'string' || !isStatus(status)) return [];
  if (!cells.every((cell) => typeof cell === 'number') || !areCells(cells)) return [];
  const row = { labels: { method, endpoint, status }, cells };
  const detail = parseDetail(input['detail'], cells.length - 1);
  return [detail ? { ...row, detail } : row];
}

/** Parses a row's detail; undefined if any of it is malformed: the counts of the row are right without it. */
function parseDetail(input: unknown, buckets: number): Detail | undefined {
  if (!isObject(input) || !isTime(input['start'])) return undefined;
  const native = parsePairs(input['native'], NATIVE_CELLS, (count) =>
    Number.isSafeInteger(count) && Number(count) > 0 ? Number(count) : undefined,
  );
  const exemplars = parsePairs(input['exemplars'], buckets, parseExemplar);
  return native && exemplars && { start: input['start'], native, exemplars };
}

/** Parses a list of pairs: a place below `places`, and its value. */
function parsePairs<T>(
  input: unknown,
  places: number,
  parseOne: (value: unknown) => T | undefined,
): [number, T][] | undefined {
  if (!Array.isArray(input)) return undefined;
  const pairs: [number, T][] = [];
  for (const pair of input) {
    const [place, given]: unknown[] = Array.isArray(pair) ? pair : [];
    const value = parseOne(given);
    if (value === undefined || typeof place !== 'number' || !Number.isInteger(place)) return undefined;
    if (place < 0 || place >= places) return undefined;
    pairs.push([place, value]);
  }
  return pairs;
}

function parseExemplar(input: unknown): Exemplar | undefined {
  if (!isObject(input)) return undefined;
  const { traceId, spanId, seconds, time } = input;
  if (!isText(traceId, /^[\da-f]{32}$/) || !isText(spanId, /^[\da-f]{16}$/)) return undefined;
  return isTime(time) && isTime(seconds) ? { traceId, spanId, seconds, time } : undefined;
}

function isText(input: unknown, pattern: RegExp): input is string {
  return typeof input === 'string' && pattern.test(input);
}

/** Tells whether a value can be a time or a duration. */
function isTime(input: unknown): input is number {
  return typeof input === 'number' && input >= 0 && input < Infinity;
}

function isStatus(status: unknown): status is number {
  return typeof status === 'number' && Number.isInteger(status) && status >= 0 && status <= 999;
}

export function isObject(input: unknown): input is Record<string, unknown> {
  return typeof input === 'object' && input !== null;
}
