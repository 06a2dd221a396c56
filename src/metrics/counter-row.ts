/** A series of a durable counter. */
export interface CounterSeries {
  readonly name: string;
  readonly help: string;
  /** The values of all labels of the counter. */
  readonly labels: Readonly<Record<string, string>>;
  /** The time since which it counts, in ms since 1970. */
  readonly start: number;
}

/** The count of one series. Its store may replace `cells`. */
export interface CounterRow {
  readonly series: CounterSeries;
  /** The cells, of which `COUNT` has the count. */
  readonly cells: Float64Array;
  /** Whether the count outlives this process; if not, it has to be sent in snapshots. */
  readonly isKept: boolean;
  /** Makes a change outlive the process, if the store can. To be called after each change. */
  commit(): void;
}

/** The cell of the count; a row of requests without bounds has its sum there. */
export const COUNT = 1;

/**
 * A place for counts, one of each series. `appendCounter` does not throw: a store that can't persist a count
 * keeps it in memory.
 */
export interface CounterStore {
  appendCounter(series: CounterSeries): CounterRow;
}

/** Makes a count that is in no file. */
export function memoryCounter(series: CounterSeries): CounterRow {
  return { series, cells: new Float64Array(COUNT + 1), isKept: false, commit() {} };
}
