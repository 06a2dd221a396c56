import { NATIVE_CELLS } from '../native-buckets.js';
import { type Detail, type Exemplar, exemplarIn, nativeIn, startIn } from '../row-detail.js';
import type { GroupDetail } from './families.js';

/** The native counts of one process as they were read last, by row of the totals. */
export class DetailReadings {
  readonly native: (Float64Array | undefined)[] = [];
  /** How many requests those of a row are. */
  readonly requests: number[] = [];
  readonly #pool = new CellPool();

  /** Those of a row, to be changed. */
  nativeOf(row: number): Float64Array {
    return (this.native[row] ??= this.#pool.take());
  }
}

/** Takes the native cells of many rows from few pieces of memory: a piece for each costs more than what is done with it. */
class CellPool {
  #piece = new Float64Array(0);
  #used = 0;

  take(): Float64Array {
    if (this.#used === this.#piece.length) {
      this.#piece = new Float64Array(32 * NATIVE_CELLS);
      this.#used = 0;
    }
    return this.#piece.subarray(this.#used, (this.#used += NATIVE_CELLS));
  }
}

type Processes = Iterable<{ readonly requests: { readonly details: DetailReadings } }>;

/** What rows have beyond their cells, of all processes: see `RowDetail`. */
export class DetailTotals {
  readonly #buckets: number;
  readonly #starts: number[] = [];
  /** By row, then by classic bucket. */
  readonly #exemplars: (Exemplar | undefined)[][] = [];
  #gone: (Float64Array | undefined)[] = [];
  readonly #pool = new CellPool();

  /** @param buckets how many classic buckets there are */
  constructor(buckets: number) {
    this.#buckets = buckets;
  }

  /** Since when a row counts: what was told first that is the earliest. */
  begin(row: number, start: number): void {
    this.#starts[row] = Math.min(start, this.startOf(row) || Infinity);
  }

  /** NaN where it is not known. */
  startOf(row: number): number {
    return this.#starts[row] ?? NaN;
  }

  /**
   * Takes in the detail of a row of which a process has counted so many `requests`. It was read after these, and may have more:
   * they wait for the next reading, because a native histogram has to count what the classic one counts.
   */
  read(readings: DetailReadings, row: number, requests: number, words: Float64Array, from: number): void {
    this.begin(row, startIn(words, from));
    for (let bucket = 0; bucket < this.#buckets; bucket++) {
      const exemplar = exemplarIn(words, from, bucket);
      if (exemplar) this.#note(row, bucket, exemplar);
    }
    take(readings, row, requests, nativeIn(words, from));
  }

  /** Takes in a detail as it travels. */
  readTold(readings: DetailReadings, row: number, requests: number, detail: Detail): void {
    this.begin(row, detail.start);
    for (const [bucket, exemplar] of detail.exemplars) this.#note(row, bucket, exemplar);
    take(readings, row, requests, denseCells(detail.native));
  }

  /** Adds what a process has counted to that of those that are gone. */
  retire({ native }: DetailReadings): void {
    for (const [row, cells] of native.entries()) {
      if (!cells) continue;
      const gone = (this.#gone[row] ??= this.#pool.take());
      addTo(gone, cells);
    }
  }

  /** What those have counted that are gone, of one row; undefined where nothing is known of it. */
  goneOf(row: number): Detail | undefined {
    const start = this.startOf(row);
    if (Number.isNaN(start)) return undefined;
    const native = [...(this.#gone[row]?.entries() ?? [])].filter(([, count]) => count > 0);
    const exemplars = (this.#exemplars[row] ?? []).flatMap((exemplar, bucket) =>
      exemplar ? [[bucket, exemplar] as const] : [],
    );
    return { start, native, exemplars };
  }

  /** Forgets what those have counted that are gone, before `addGone` tells it anew. */
  clearGone(): void {
    this.#gone = [];
  }

  addGone(row: number, { start, native, exemplars }: Detail): void {
    this.begin(row, start);
    for (const [bucket, exemplar] of exemplars) this.#note(row, bucket, exemplar);
    this.#gone[row] = denseCells(native);
  }

  /** The detail of rows that are one histogram, which has counted so many requests. */
  group(rows: readonly number[], processes: Processes, requests: number): GroupDetail {
    const native = new Float64Array(NATIVE_CELLS);
    for (const row of rows) {
      addTo(native, this.#gone[row]);
      for (const { requests: readings } of processes) addTo(native, readings.details.native[row]);
    }
    const complete = native.reduce((all, count) => all + count, 0) === requests;
    const starts = rows.map((row) => this.startOf(row)).filter((start) => !Number.isNaN(start));
    return {
      start: starts.length > 0 ? Math.min(...starts) : NaN,
      // Prometheus would refuse the whole scrape for one that does not count what its buckets do.
      native: complete ? native : undefined,
      exemplars: Array.from({ length: this.#buckets }, (_, bucket) => this.#latest(rows, bucket)),
    };
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

/** Takes in at most as many native counts as make up `requests`. */
function take(readings: DetailReadings, row: number, requests: number, native: Float64Array): void {
  const last = readings.nativeOf(row);
  let wanting = requests - (readings.requests[row] ?? 0);
  for (let cell = 0; cell < NATIVE_CELLS && wanting > 0; cell++) {
    const more = Math.min(native[cell]! - last[cell]!, wanting);
    if (!(more > 0) || !Number.isSafeInteger(more)) continue;
    last[cell]! += more;
    wanting -= more;
  }
  readings.requests[row] = requests - wanting;
}

function addTo(all: Float64Array, cells: Float64Array | undefined): void {
  if (cells) for (let i = 0; i < NATIVE_CELLS; i++) all[i]! += cells[i]!;
}

function denseCells(native: Detail['native']): Float64Array {
  const cells = new Float64Array(NATIVE_CELLS);
  for (const [cell, count] of native) cells[cell] = count;
  return cells;
}
