import { NATIVE_CELLS } from '../native-buckets.js';
import { type Detail, type Exemplar, exemplarIn, nativeIn, startIn } from '../row-detail.js';
import { CellPool } from './cell-pool.js';
import type { GroupDetail } from './families.js';

/** The native counts of one process as they were read last, by row of the totals. */
export class DetailReadings {
  readonly native: (Float64Array | undefined)[] = [];
  /** The number of requests in the native counts of each row. */
  readonly requests: number[] = [];
}

/** The details of rows, of all processes: see `RowDetail`. */
export class DetailTotals {
  readonly #buckets: number;
  readonly #starts: number[] = [];
  /** The time at which the histogram of a row began anew, which its counter did not. */
  readonly anew: (number | undefined)[] = [];
  /** The latest exemplar, by row and classic bucket. */
  readonly #exemplars: (Exemplar | undefined)[][] = [];
  /**
   * The native counts of all processes, by row. They are kept up to date with each reading: to add up those
   * of eight processes anew took a third of a scrape.
   */
  readonly #all: Float64Array[] = [];
  /** The native counts of ended processes, by row. */
  #gone: (Float64Array | undefined)[] = [];
  readonly #pool = new CellPool();

  /** @param buckets the number of classic buckets */
  constructor(buckets: number) {
    this.#buckets = buckets;
  }

  /** Sets the time since which a row counts. The earliest one that is told wins. */
  begin(row: number, start: number): void {
    this.#starts[row] = Math.min(start, this.startOf(row) || Infinity);
  }

  /** Returns the time since which a row counts; NaN if it is not known. */
  startOf(row: number): number {
    return this.#starts[row] ?? NaN;
  }

  /** Makes the histogram of a row count since then; the latest time wins. */
  beginAnew(row: number, time: number): void {
    this.anew[row] = Math.max(time, this.anew[row] ?? 0);
  }

  /**
   * Takes in the detail of a row of which a process has counted `requests`. The detail was read later, and
   * may have more: these wait for the next reading, because a native histogram must count the same
   * requests as the classic one.
   */
  read(readings: DetailReadings, row: number, requests: number, words: Float64Array, from: number): void {
    this.#readOthers(row, words, from);
    this.#take(readings, row, requests, nativeIn(words, from));
  }

  /**
   * Does the same for the last time, after the end of the process. A row that was never read before goes
   * straight to the gone: a service that starts has thousands of them to take over.
   */
  readLast(readings: DetailReadings, row: number, requests: number, words: Float64Array, from: number): void {
    if (readings.native[row]) return this.read(readings, row, requests, words, from);
    this.#readOthers(row, words, from);
    const gone = (this.#gone[row] ??= this.#pool.take());
    const now = nativeIn(words, from);
    readings.requests[row] = requests - take(NONE, now, requests, gone, this.#allOf(row));
  }

  #readOthers(row: number, words: Float64Array, from: number): void {
    this.begin(row, startIn(words, from));
    for (let bucket = 0; bucket < this.#buckets; bucket++) {
      const exemplar = exemplarIn(words, from, bucket);
      if (exemplar) this.#note(row, bucket, exemplar);
    }
  }

  /** Takes in a detail that a process has sent. */
  readTold(readings: DetailReadings, row: number, requests: number, detail: Detail): void {
    this.begin(row, detail.start);
    for (const [bucket, exemplar] of detail.exemplars) this.#note(row, bucket, exemplar);
    const told = add(this.#pool.take(), detail.native);
    this.#take(readings, row, requests, told);
    this.#pool.give(told);
  }

  /** Adds the counts of an ended process to the gone. Its readings must not be used again. */
  retire({ native }: DetailReadings): void {
    for (const [row, cells] of native.entries()) {
      if (!cells) continue;
      const gone = (this.#gone[row] ??= cells);
      if (gone === cells) continue;
      addTo(gone, cells);
      this.#pool.give(cells);
    }
  }

  /** Drops the counts of a process. Its readings must not be used again. */
  forget({ native }: DetailReadings): void {
    for (const [row, cells] of native.entries()) {
      if (!cells) continue;
      subtractFrom(this.#allOf(row), cells);
      this.#pool.give(cells);
    }
  }

  /** Returns the detail of ended processes, of one row; undefined if nothing is known of it. */
  goneOf(row: number): Detail | undefined {
    const start = this.startOf(row);
    if (Number.isNaN(start)) return undefined;
    const native: [number, number][] = [];
    const gone = this.#gone[row] ?? [];
    for (let cell = 0; cell < gone.length; cell++) if (gone[cell]! > 0) native.push([cell, gone[cell]!]);
    const exemplars = (this.#exemplars[row] ?? []).flatMap((exemplar, bucket) =>
      exemplar ? [[bucket, exemplar] as const] : [],
    );
    return { start, native, exemplars };
  }

  /** Forgets the counts of ended processes, before `addGone` adds them anew. */
  clearGone(): void {
    for (const [row, cells] of this.#gone.entries()) {
      if (!cells) continue;
      subtractFrom(this.#allOf(row), cells);
      this.#pool.give(cells);
    }
    this.#gone = [];
  }

  addGone(row: number, { start, native, exemplars }: Detail): void {
    this.begin(row, start);
    for (const [bucket, exemplar] of exemplars) this.#note(row, bucket, exemplar);
    add((this.#gone[row] ??= this.#pool.take()), native);
    add(this.#allOf(row), native);
  }

  /** Adds up the detail of rows that are one histogram with this number of requests. */
  group(rows: readonly number[], requests: number): GroupDetail {
    const native = new Float64Array(NATIVE_CELLS);
    for (const row of rows) if (this.#all[row]) addTo(native, this.#all[row]);
    let inNative = 0;
    for (const count of native) inNative += count;
    const complete = inNative === requests;
    return {
      start: this.#histogramStartOf(this.firstOf(rows)),
      // Prometheus would refuse the whole scrape for a native histogram with another
      // count than its buckets have.
      native: complete ? native : undefined,
      exemplars: Array.from({ length: this.#buckets }, (_, bucket) => this.#latest(rows, bucket)),
    };
  }

  /**
   * Returns that row whose histogram began first; of several, the first in the list, which must not be empty.
   */
  firstOf(rows: readonly number[]): number {
    const start = (row: number) => this.#histogramStartOf(row) || Infinity;
    return rows.reduce((first, row) => (start(row) < start(first) ? row : first));
  }

  #histogramStartOf(row: number): number {
    return Math.max(this.startOf(row), this.anew[row] ?? 0);
  }

  #take({ native, requests: taken }: DetailReadings, row: number, requests: number, now: Float64Array): void {
    const last = (native[row] ??= this.#pool.take());
    taken[row] = requests - take(last, now, requests - (taken[row] ?? 0), last, this.#allOf(row));
  }

  #allOf(row: number): Float64Array {
    return (this.#all[row] ??= this.#pool.take());
  }

  #note(row: number, bucket: number, exemplar: Exemplar): void {
    const known = (this.#exemplars[row] ??= []);
    if (!known[bucket] || known[bucket].time < exemplar.time) known[bucket] = exemplar;
  }

  #latest(rows: readonly number[], bucket: number): Exemplar | undefined {
    let latest: Exemplar | undefined;
    for (const row of rows) {
      const exemplar = this.#exemplars[row]?.[bucket];
      if (exemplar && (!latest || latest.time < exemplar.time)) latest = exemplar;
    }
    return latest;
  }
}

const NONE = new Float64Array(NATIVE_CELLS);

/**
 * Adds counts beyond those in `last` to two totals, at most `wanted` requests. Returns how many of these are
 * missing.
 */
function take(
  last: Float64Array,
  now: Float64Array,
  wanted: number,
  total: Float64Array,
  all: Float64Array,
): number {
  let missing = wanted;
  for (let cell = 0; cell < NATIVE_CELLS && missing > 0; cell++) {
    if (now[cell] === last[cell]) continue;
    const more = Math.min(now[cell]! - last[cell]!, missing);
    if (!(more > 0) || !Number.isSafeInteger(more)) continue;
    total[cell]! += more;
    all[cell]! += more;
    missing -= more;
  }
  return missing;
}

function addTo(all: Float64Array, cells: Float64Array): void {
  for (let i = 0; i < NATIVE_CELLS; i++) all[i]! += cells[i]!;
}

function subtractFrom(all: Float64Array, cells: Float64Array): void {
  for (let i = 0; i < NATIVE_CELLS; i++) all[i]! -= cells[i]!;
}

function add(cells: Float64Array, native: Detail['native']): Float64Array {
  for (const [cell, count] of native) cells[cell]! += count;
  return cells;
}
