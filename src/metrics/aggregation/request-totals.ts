import type { Slices } from '../event-loop-turns.js';
import { cellsPerRow } from '../ledger/ledger-format.js';
import type { RowLabels } from '../request-metrics.js';
import type { Detail } from '../row-detail.js';
import { DetailReadings, DetailTotals } from './detail-totals.js';
import { ExactSum } from './exact-sum.js';
import type { GroupDetail, RequestCounts } from './families.js';

/** The counts of one (method, endpoint, status). They can be kept as JSON. */
export interface CountedRow {
  readonly labels: RowLabels;
  readonly counts: readonly number[];
  /** The sum of seconds, as the parts of an `ExactSum`. */
  readonly seconds: readonly number[];
  /** Start, native counts and exemplars of the row, if they are known. */
  readonly detail?: Detail;
  /** The number of requests that were counted with other buckets, which no histogram can have. */
  readonly withOtherBuckets: number;
  /** The time at which its histogram began anew, in ms since 1970, if buckets have changed. */
  readonly anew?: number;
}

/**
 * The time since which histograms count that had other buckets before, in ms since 1970. This process has
 * brought the new ones; when it reads the old counts, requests may have been counted in them already.
 */
export const BEGUN = Math.floor(performance.timeOrigin);

/** The highest reading so far of each cell of one process, in the order of the totals' rows. */
export class RequestReadings {
  cells = new Float64Array(0);
  readonly details = new DetailReadings();
}

type Processes = ReadonlySet<{ readonly requests: RequestReadings }>;

interface Group {
  readonly labels: Pick<RowLabels, 'method' | 'endpoint'>;
  readonly rows: number[];
}

/**
 * The request counts of the whole service: those of ended processes, and the highest readings of the others.
 * A row may be read any number of times, from a ledger or a snapshot, before or after its process's end:
 * nothing is counted twice, no total falls.
 */
export class RequestTotals {
  readonly #width: number;
  readonly #rows: RowLabels[] = [];
  readonly #index = new Map<string, number>();
  /** Whether anybody has counted a row. Most foreseen rows stay at 0, and need no adding up. */
  readonly #counted: boolean[] = [];
  readonly #groups = new Map<string, Group>();
  /** The counts of ended processes; the cells of the sums are not used. */
  #gone = new Float64Array(0);
  readonly #goneSeconds: ExactSum[] = [];
  readonly #details: DetailTotals;
  readonly #withOtherBuckets: number[] = [];

  constructor(buckets: readonly number[]) {
    this.#width = cellsPerRow(buckets);
    this.#details = new DetailTotals(buckets.length + 1);
  }

  /** Returns the row with these labels, and makes it if it is new. */
  indexOf(labels: RowLabels): number {
    const { method, endpoint, status } = labels;
    const key = `${method}\n${status}\n${endpoint}`;
    const known = this.#index.get(key);
    if (known !== undefined) return known;
    const row = this.#rows.push({ method, endpoint, status }) - 1;
    this.#index.set(key, row);
    this.#goneSeconds.push(new ExactSum());
    this.#withOtherBuckets.push(0);
    this.#gone = grown(this.#gone, (row + 1) * this.#width);
    const group = this.#groups.get(`${method}\n${endpoint}`);
    if (group) group.rows.push(row);
    else this.#groups.set(`${method}\n${endpoint}`, { labels: { method, endpoint }, rows: [row] });
    return row;
  }

  /** Takes in a reading of a process's row. Its cells begin at `from` in `words`. */
  read(readings: RequestReadings, row: number, words: ArrayLike<number>, from = 0): void {
    readings.cells = grown(readings.cells, this.#gone.length);
    const last = readings.cells;
    const start = row * this.#width;
    const sum = this.#width - 1;
    for (let i = 0; i <= sum; i++) {
      const value = words[from + i]!;
      // The comparison is false for NaN and for a value that would fall. Infinity
      // and fractions are no counts.
      if (!(value > last[start + i]!) || (i === sum ? value === Infinity : !Number.isSafeInteger(value)))
        continue;
      last[start + i] = value;
      this.#counted[row] = true;
    }
  }

  /** Sets the time since which a row counts, unless an earlier one is known. */
  begin(row: number, start: number): void {
    this.#details.begin(row, start);
  }

  /** Tells whether a process's row has counted more than its detail that was read. */
  lacksDetail(readings: RequestReadings, row: number): boolean {
    return this.#requestsOf(readings, row) > (readings.details.requests[row] ?? 0);
  }

  /**
   * Takes in the detail of a process's row, from `from` on in `words`. It must have been read after the row.
   */
  readDetail(readings: RequestReadings, row: number, words: Float64Array, from = 0): void {
    this.#details.read(readings.details, row, this.#requestsOf(readings, row), words, from);
  }

  /** Takes in the last detail of an ended process's row, as `readDetail` does. */
  readLastDetail(readings: RequestReadings, row: number, words: Float64Array, from: number): void {
    this.#details.readLast(readings.details, row, this.#requestsOf(readings, row), words, from);
  }

  /** Takes in the detail of a process's row that the process has sent. */
  readToldDetail(readings: RequestReadings, row: number, detail: Detail): void {
    this.#details.readTold(readings.details, row, this.#requestsOf(readings, row), detail);
  }

  #requestsOf({ cells }: RequestReadings, row: number): number {
    let requests = 0;
    const end = (row + 1) * this.#width - 1;
    for (let i = row * this.#width; i < end && i < cells.length; i++) requests += cells[i]!;
    return requests;
  }

  /** Adds the counts of an ended process to the gone. */
  retire({ cells, details }: RequestReadings): void {
    this.#details.retire(details);
    for (let row = 0; row < this.#rows.length; row++) {
      const start = row * this.#width;
      const sum = start + this.#width - 1;
      if (start >= cells.length) return;
      for (let i = start; i < sum; i++) this.#gone[i]! += cells[i]!;
      if (cells[sum] !== 0) this.#goneSeconds[row]!.add(cells[sum]!);
    }
  }

  /** Drops the counts of a process. Its readings must not be used again. */
  forget({ details }: RequestReadings): void {
    this.#details.forget(details);
  }

  /** Adds the number of requests of an ended process that had other buckets. */
  addWithOtherBuckets(row: number, requests: number): void {
    this.#withOtherBuckets[row]! += requests;
    this.#counted[row] = true;
    this.#details.beginAnew(row, BEGUN);
  }

  /**
   * The counts of ended processes; and the starts, with zeros, of the rows that only the others have counted,
   * and of those with which a histogram that somebody has counted began.
   */
  get gone(): CountedRow[] {
    const first = new Set<number>();
    for (const { rows } of this.#groups.values()) {
      const counted = rows.filter((row) => this.#counted[row]);
      if (counted.length > 0) first.add(this.#details.firstOf([...counted, ...rows]));
    }
    return this.#rows.flatMap((labels, row) => {
      if (!this.#counted[row] && !first.has(row)) return [];
      const start = row * this.#width;
      const counts = [...this.#gone.subarray(start, start + this.#width - 1)];
      const withOtherBuckets = this.#withOtherBuckets[row]!;
      const detail = this.#details.goneOf(row);
      if (!detail && withOtherBuckets === 0 && counts.every((count) => count === 0)) return [];
      const seconds = this.#goneSeconds[row]!.parts;
      const anew = this.#details.anew[row];
      const known = { ...(detail && { detail }), ...(anew !== undefined && { anew }) };
      return [{ labels, counts, seconds, withOtherBuckets, ...known }];
    });
  }

  /** Replaces the counts of ended processes; rows with the same labels are added up. */
  set gone(rows: readonly CountedRow[]) {
    this.#gone.fill(0);
    for (const sum of this.#goneSeconds) sum.clear();
    this.#withOtherBuckets.fill(0);
    this.#details.clearGone();
    for (const { labels, counts, seconds, withOtherBuckets, detail, anew } of rows) {
      const row = this.indexOf(labels);
      this.#withOtherBuckets[row]! += withOtherBuckets;
      for (const [i, count] of counts.entries()) this.#gone[row * this.#width + i]! += count;
      this.#counted[row] = true;
      this.#goneSeconds[row]!.addAll(seconds);
      if (detail) this.#details.addGone(row, detail);
      if (anew !== undefined) this.#details.beginAnew(row, anew);
    }
  }

  /**
   * Adds up the totals and the readings of these processes. A row that is added meanwhile
   * has to wait for the next call.
   * @param detailed whether to add the details, which the text format does not have
   */
  async counts(processes: Processes, slices: Slices, detailed = false): Promise<RequestCounts> {
    const details: GroupDetail[] = [];
    const rows = this.#rows.slice();
    const groups = [...this.#groups.values()];
    const counts = new Float64Array(rows.length);
    const histograms = new Float64Array(groups.length * this.#width);
    const seconds = new ExactSum();
    for (const [at, group] of groups.entries()) {
      const histogram = histograms.subarray(at * this.#width, (at + 1) * this.#width);
      // There is no pause within a group, so no process can retire: its readings are counted
      // either here or among the gone.
      const known = group.rows.filter((row) => row < rows.length);
      for (const row of known)
        if (this.#counted[row]) counts[row] = this.#addRow(row, processes, histogram, seconds);
      histogram[this.#width - 1] = seconds.value;
      seconds.clear();
      if (detailed) {
        const requests = histogram.subarray(0, this.#width - 1).reduce((all, count) => all + count, 0);
        details.push(this.#details.group(known, requests));
      }
      if (slices.over) await slices.next();
    }
    const totals = { rows, counts, groups: groups.map(({ labels }) => labels), histograms };
    if (!detailed) return totals;
    const starts = Float64Array.from(rows, (_, row) => this.#details.startOf(row));
    return { ...totals, details: { starts, groups: details } };
  }

  /** Adds all cells of a row to a histogram, and its sum to `seconds`. Returns the number of requests. */
  #addRow(row: number, processes: Processes, histogram: Float64Array, seconds: ExactSum): number {
    const start = row * this.#width;
    const sum = start + this.#width - 1;
    let requests = this.#withOtherBuckets[row]! + addCells(histogram, this.#gone, start, sum);
    seconds.addSum(this.#goneSeconds[row]!);
    for (const process of processes) {
      const { cells } = process.requests;
      if (sum >= cells.length) continue;
      requests += addCells(histogram, cells, start, sum);
      seconds.add(cells[sum]!);
    }
    return requests;
  }
}

/** Adds cells to a histogram. Returns their sum. */
function addCells(histogram: Float64Array, cells: Float64Array, start: number, end: number): number {
  let all = 0;
  for (let i = start; i < end; i++) {
    histogram[i - start]! += cells[i]!;
    all += cells[i]!;
  }
  return all;
}

function grown(cells: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  if (cells.length >= length) return cells;
  const larger = new Float64Array(Math.max(length, 2 * cells.length));
  larger.set(cells);
  return larger;
}
