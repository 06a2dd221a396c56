import { areCumulative, type HistogramShape, histogramsOf } from './histogram-shape.js';
import { isObject, isValueOf, parseMetric, parseRow } from './snapshot-parser.js';
import type { Snapshot, SnapshotMetric } from './snapshot.js';

/** A metric as it was told, and as it was read when all of it was right. */
interface Known {
  readonly told: unknown;
  readonly metric?: SnapshotMetric;
  readonly histograms?: readonly HistogramShape[];
}

/**
 * Reads what one process says of itself again and again. From one time to the next mostly its numbers change: names and labels
 * are checked, and made into objects, when there are others than before.
 */
export class SnapshotReader {
  #series: string | undefined;
  #known: readonly Known[] = [];

  /** Undefined for a text that no `snapshotText` is; what of it is malformed is left out, as by `parseSnapshot`. */
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

  /** Undefined when these are no series. */
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
  // With something left out its numbers are no longer where they were.
  if (!metric || !Array.isArray(numbers) || metric.values.length < numbers.length) return { told };
  const histograms = metric.type === 'histogram' ? (histogramsOf(metric.name, metric.values) ?? []) : [];
  return { told, metric: { ...metric, shape: {} }, histograms };
}

/** The metric with these numbers; without any where it is malformed. */
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

/** As `parseMetric` wants it. */
function withNumbers(told: unknown, numbers: unknown): unknown {
  if (!isObject(told) || !Array.isArray(told['values']) || !Array.isArray(numbers)) return undefined;
  const values: unknown[] = told['values'];
  return { ...told, values: values.map((one, i) => (isObject(one) ? { ...one, value: numbers[i] } : one)) };
}
