import { areCumulative, type HistogramShape, histogramsOf } from './histogram-shape.js';
import { isObject, isValueOf, parseMetric, parseRow } from './snapshot-parser.js';
import type { Snapshot, SnapshotMetric } from './snapshot.js';

/** A metric as it was sent, and as it was parsed if all of it was right. */
interface Known {
  readonly told: unknown;
  readonly metric?: SnapshotMetric;
  readonly histograms?: readonly HistogramShape[];
}

/**
 * Reads the snapshots of one process. From one to the next mostly the numbers change: names and labels are
 * checked, and made into objects, only when they differ.
 */
export class SnapshotReader {
  #series: string | undefined;
  #known: readonly Known[] = [];

  /**
   * Reads a snapshot; undefined for a text that is no `snapshotText`. Malformed parts are
   * left out, as by `parseSnapshot`.
   */
  read(text: string): Snapshot | undefined {
    try {
      const end = text.indexOf('\n');
      const { numbers, rows }: Record<string, unknown> = JSON.parse(text.slice(0, end));
      if (!Array.isArray(numbers) || !Array.isArray(rows)) return undefined;
      const known = this.#knownOf(text.slice(end + 1), numbers);
      if (!known) return undefined;
      return {
        metrics: known.flatMap((one, i) => renumbered(one, numbers[i])),
        rows: rows.flatMap(parseRow),
      };
    } catch {
      return undefined;
    }
  }

  /** Parses the series, or takes those of the last time; undefined if these are no series. */
  #knownOf(series: string, numbers: readonly unknown[]): readonly Known[] | undefined {
    if (series === this.#series) return this.#known;
    const told: unknown = JSON.parse(series);
    if (!Array.isArray(told)) return undefined;
    this.#series = series;
    return (this.#known = told.map((one, i) => knownOf(one, numbers[i])));
  }
}

function knownOf(told: unknown, numbers: unknown): Known {
  const [metric] = parseMetric(withNumbers(told, numbers));
  // If a value was left out, the numbers no longer match the values.
  if (!metric || !Array.isArray(numbers) || metric.values.length < numbers.length) return { told };
  const histograms = metric.type === 'histogram' ? (histogramsOf(metric.name, metric.values) ?? []) : [];
  return { told, metric: { ...metric, shape: {} }, histograms };
}

/** Returns the metric with these numbers; nothing if it is malformed. */
function renumbered({ told, metric, histograms = [] }: Known, numbers: unknown): readonly SnapshotMetric[] {
  if (!metric || !areNumbersOf(metric, histograms, numbers)) return parseMetric(withNumbers(told, numbers));
  return [{ ...metric, values: metric.values.map((value, i) => ({ ...value, value: numbers[i] ?? NaN })) }];
}

function areNumbersOf(
  { name, type, values }: SnapshotMetric,
  histograms: readonly HistogramShape[],
  numbers: unknown,
): numbers is number[] {
  return (
    Array.isArray(numbers) &&
    values.every(({ metricName = name }, i) => isValueOf(numbers[i], metricName, name, type)) &&
    areCumulative(histograms, numbers)
  );
}

/** Joins a metric with its numbers, as `parseMetric` wants it. */
function withNumbers(told: unknown, numbers: unknown): unknown {
  if (!isObject(told) || !Array.isArray(told['values']) || !Array.isArray(numbers)) return undefined;
  const values: unknown[] = told['values'];
  return { ...told, values: values.map((one, i) => (isObject(one) ? { ...one, value: numbers[i] } : one)) };
}
