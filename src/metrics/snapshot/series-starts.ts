import type { Registry } from 'prom-client';

/** A metric from prom-client. */
interface CollectedMetric {
  readonly name: string;
  readonly type: unknown;
  readonly values: readonly Value[];
}

interface Value {
  readonly metricName?: string;
  readonly labels: object;
  readonly value: number;
}

const COUNTED: readonly unknown[] = ['counter', 'histogram', 'summary'];

const known = new WeakMap<Registry, SeriesStarts>();

/**
 * Returns the start times of a registry's series.
 * @param since when the registry began, in ms since 1970, if it is new here.
 *   Default: the start of the process
 */
export function startsOf(
  registry: Registry,
  since: number = Math.floor(performance.timeOrigin),
): SeriesStarts {
  let starts = known.get(registry);
  if (!starts) known.set(registry, (starts = new SeriesStarts(since)));
  return starts;
}

/** Keeps the time since which each series of this process counts: the last look before the series existed. */
class SeriesStarts {
  readonly #starts = new Map<string, number>();
  #before: number;

  constructor(since: number) {
    this.#before = since;
  }

  /** Returns the metrics, and adds a `start` to counters, histograms and summaries. */
  mark<T extends CollectedMetric>(metrics: readonly T[], time: number): T[] {
    const marked = metrics.map((metric) => (COUNTED.includes(metric.type) ? this.#mark(metric) : metric));
    this.#before = time;
    return marked;
  }

  #mark<T extends CollectedMetric>(metric: T): T {
    const values = metric.values.map((value) => {
      const key = keyOf(value.metricName ?? metric.name, value.labels);
      return key === undefined ? value : { ...value, start: this.#startOf(key) };
    });
    return { ...metric, values };
  }

  #startOf(key: string): number {
    const start = this.#starts.get(key) ?? this.#before;
    this.#starts.set(key, start);
    return start;
  }
}

/** Makes the key of a series; undefined for labels that JSON can't write: such a series is never sent. */
function keyOf(name: string, labels: object): string | undefined {
  try {
    return name + JSON.stringify(labels);
  } catch {
    return undefined;
  }
}
