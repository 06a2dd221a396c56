import type { Registry } from 'prom-client';

/** As prom-client gives it. */
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
 * What is known of the series of a registry.
 * @param since when it began, in ms since 1970, where it is not known yet. Default: the start of the process
 */
export function startsOf(
  registry: Registry,
  since: number = Math.floor(performance.timeOrigin),
): SeriesStarts {
  let starts = known.get(registry);
  if (!starts) known.set(registry, (starts = new SeriesStarts(since)));
  return starts;
}

/** Knows since when each series of this process counts: since it was looked for the last time before it was there. */
class SeriesStarts {
  readonly #starts = new Map<string, number>();
  #before: number;

  constructor(since: number) {
    this.#before = since;
  }

  /** The metrics with the `start` of what counts. */
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

/** Undefined for labels that JSON has no way to write; such a series travels nowhere. */
function keyOf(name: string, labels: object): string | undefined {
  try {
    return name + JSON.stringify(labels);
  } catch {
    return undefined;
  }
}
