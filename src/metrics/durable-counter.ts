import { inspect } from 'node:util';
import { Counter, register, type Registry } from 'prom-client';
import { COUNT, type CounterRow, type CounterStore, memoryCounter } from './counter-row.js';

export interface DurableCounterOptions<Label extends string> {
  /** A name as Prometheus allows; those of counters end in `_total` by custom. */
  readonly name: string;
  readonly help: string;
  /** The labels, which each `inc` has to give. Default none. */
  readonly labelNames?: readonly Label[];
  /**
   * The largest number of different sets of label values in a process; beyond it `inc` throws. Default 1000.
   */
  readonly maxSeries?: number;
}

/** The longest label value in characters. */
const MAX_VALUE = 1_000;

/** The stores of the registries' durable counters. */
const stores = new WeakMap<Registry, CounterStore>();

/** Moves the durable counters of a registry, present and future ones, to the ledger of this process. */
export function keepDurableCounters(registry: Registry, store: CounterStore): void {
  stores.set(registry, store);
  for (const metric of registry.getMetricsAsArray())
    if (metric instanceof DurableCounter) metric.keepIn(store);
}

/**
 * Makes a counter that never loses an increment. Each is in the worker's ledger before `inc` returns, and so
 * survives the death of the worker and a restart of the service, as request counts do. Without a ledger
 * (serverless, a test) it counts in memory, as prom-client's counters do. Like those it is in the default
 * registry. Throws for a name that Prometheus does not allow, or that is taken.
 */
export function durableCounter<Label extends string = never>(
  options: DurableCounterOptions<Label>,
): DurableCounter<Label> {
  const counter = new DurableCounter(options, stores.get(register));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a registry needs no more of a metric
  register.registerMetric(counter as never);
  return counter;
}

/** A counter in the default registry, as `durableCounter` makes it. */
export class DurableCounter<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly #labelNames: readonly Label[];
  readonly #maxSeries: number;
  /** The counts by the values of their labels. */
  readonly #rows = new Map<string, CounterRow>();
  #store: CounterStore;

  constructor(
    { name, help, labelNames = [], maxSeries = 1_000 }: DurableCounterOptions<Label>,
    store: CounterStore = { appendCounter: memoryCounter },
  ) {
    // prom-client's counter is made for its checks of the names.
    void new Counter({ name, help, labelNames, registers: [] });
    this.name = name;
    this.help = help;
    this.#labelNames = [...labelNames];
    this.#maxSeries = maxSeries;
    this.#store = store;
    // A counter without labels has one series, which begins at 0 now.
    if (labelNames.length === 0) this.#row({});
  }

  /**
   * Adds 1, or `value`, to the count of these labels; 0 makes a series that is at 0. Throws, and counts
   * nothing, for a value that is no finite number from 0, for other labels than the counter's, and for more
   * sets of label values than `maxSeries`.
   */
  inc(value?: number): void;
  inc(labels: Readonly<Record<Label, string | number>>, value?: number): void;
  inc(first: unknown = {}, second?: number): void {
    const [labels, value = 1] = typeof first === 'number' ? [{}, first] : [first, second];
    if (!(Number.isFinite(value) && value >= 0)) throw this.#refusal('a finite number from 0', value);
    const row = this.#row(labels);
    row.cells[COUNT]! += value;
    row.commit();
  }

  /** Returns the counts of this process in prom-client's form. */
  get() {
    return this.#asJson(() => true);
  }

  /** Returns the counts that no ledger holds, in the same form. */
  unkept() {
    return this.#asJson(({ isKept }) => !isKept);
  }

  /**
   * Sets the counts that no ledger holds to 0, as prom-client's `resetMetrics` asks. A
   * count in a ledger never falls.
   */
  reset(): void {
    for (const { isKept, cells } of this.#rows.values()) if (!isKept) cells[COUNT] = 0;
  }

  /** Moves all counts, present and future ones, to a store. */
  keepIn(store: CounterStore): void {
    this.#store = store;
    for (const [key, { series, cells }] of this.#rows) {
      const row = store.appendCounter(series);
      row.cells[COUNT]! += cells[COUNT]!;
      row.commit();
      this.#rows.set(key, row);
    }
  }

  #row(labels: unknown): CounterRow {
    const values = this.#values(labels);
    const key = values.length === 1 ? values[0]! : JSON.stringify(values);
    return this.#rows.get(key) ?? this.#newRow(key, values);
  }

  #newRow(key: string, values: readonly string[]): CounterRow {
    const { name, help } = this;
    const labels = Object.fromEntries(this.#labelNames.map((label, i) => [label, values[i]!]));
    if (this.#rows.size >= this.#maxSeries)
      throw this.#refusal(`at most ${this.#maxSeries} different sets of label values`, labels);
    const row = this.#store.appendCounter({ name, help, labels, start: Date.now() });
    this.#rows.set(key, row);
    return row;
  }

  /** Returns the label values in the order of the counter's labels. */
  #values(labels: unknown): string[] {
    const names = this.#labelNames;
    const given: Readonly<Record<string, unknown>> = Object(labels);
    if (Object.keys(given).length !== names.length || !names.every((name) => Object.hasOwn(given, name)))
      throw this.#refusal(names.length > 0 ? `the labels ${names.join(', ')}` : 'no labels', labels);
    return names.map((name) => {
      const value = given[name];
      if (typeof value === 'string' ? value.length <= MAX_VALUE : Number.isFinite(value))
        return String(value);
      throw this.#refusal(`a string of at most ${MAX_VALUE} characters or a number for ${name}`, value);
    });
  }

  #asJson(isWanted: (row: CounterRow) => boolean) {
    const rows = [...this.#rows.values()].filter(isWanted);
    return {
      name: this.name,
      help: this.help,
      type: 'counter',
      aggregator: 'sum',
      labelNames: this.#labelNames,
      values: rows.map(({ series, cells }) => ({ labels: series.labels, value: cells[COUNT]! })),
    };
  }

  #refusal(expected: string, got: unknown): TypeError {
    const shown = inspect(got, { maxStringLength: 50, breakLength: Infinity });
    return new TypeError(`${this.name}: expected ${expected}, got ${shown}`);
  }
}
