import type { Slices } from '../event-loop-turns.js';
import type { Foreseen } from '../foreseen.js';
import type { RowData } from '../ledger/ledger-reader.js';
import type { RowLabels } from '../request-metrics.js';
import type { Snapshot, SnapshotMetric } from '../snapshot/snapshot.js';
import type { Family, RequestCounts } from './families.js';
import { type CountedMetric, FamilyReadings, FamilyTotals, type Live } from './family-totals.js';
import { type CountedRow, RequestReadings, RequestTotals } from './request-totals.js';

/** The counts of ended processes. They can be kept as JSON. */
export interface Counts {
  readonly rows: readonly CountedRow[];
  readonly metrics: readonly CountedMetric[];
}

export interface AggregationOptions {
  /** Upper bounds of the request histogram in seconds, ascending, without +Inf. */
  readonly buckets: readonly number[];
  /** Names of series that a snapshot may not have. */
  readonly reserved: Iterable<string>;
  /** Called with the name of a metric whose definition has changed, and which begins anew. */
  readonly onRedefined?: (name: string) => void;
}

/** The last readings of one process. */
export class Source {
  readonly requests = new RequestReadings();
  readonly families: FamilyReadings;

  /** @param birth is larger for a younger process, whose definition of a metric counts where two differ */
  constructor(birth: number) {
    this.families = new FamilyReadings(birth);
  }
}

/**
 * The counts of all processes of a service, alive or ended, as if they were one. Counts that are
 * read again, later, or after a process's end are counted once. Every total is rounded once, in
 * whatever order it is added up.
 */
export class Aggregation {
  readonly #width: number;
  readonly #requests: RequestTotals;
  readonly #families: FamilyTotals;
  readonly #sources = new Set<Source>();

  constructor({ buckets, reserved, onRedefined }: AggregationOptions) {
    this.#width = buckets.length + 2;
    this.#requests = new RequestTotals(buckets);
    this.#families = new FamilyTotals(reserved, onRedefined);
  }

  /** Takes in a snapshot of a process. */
  read(source: Source, snapshot: Snapshot): void {
    this.#sources.add(source);
    this.#families.read(source.families, snapshot);
    for (const { labels, cells, detail } of snapshot.rows) {
      if (cells.length !== this.#width) continue;
      const row = this.rowOf(labels);
      this.readRow(source, row, cells);
      if (detail) this.#requests.readToldDetail(source.requests, row, detail);
    }
  }

  /**
   * Makes rows of series that nobody has counted yet. They are at 0.
   * @param since when they began, in ms since 1970
   */
  foresee(series: readonly Foreseen[], since: number): void {
    for (const { method, endpoint, statuses } of series)
      for (const status of statuses) this.#requests.begin(this.rowOf({ method, endpoint, status }), since);
  }

  /** Returns the row of the totals that has these labels. */
  rowOf(labels: RowLabels): number {
    return this.#requests.indexOf(labels);
  }

  /** Takes in a row of a process's ledger. Its cells begin at `from` in `words`. */
  readRow(source: Source, row: number, words: ArrayLike<number>, from = 0): void {
    this.#sources.add(source);
    this.#requests.read(source.requests, row, words, from);
  }

  /** Tells whether a row of a process has counted more than its detail that was read. */
  lacksDetail(source: Source, row: number): boolean {
    return this.#requests.lacksDetail(source.requests, row);
  }

  /** Takes in the detail of a row, which begins at `from` in `words`, and was read after the row. */
  readDetail(source: Source, row: number, words: Float64Array, from = 0): void {
    this.#requests.readDetail(source.requests, row, words, from);
  }

  /** Takes in the last detail of a row of an ended process, before it retires. */
  readLastDetail(source: Source, row: number, words: Float64Array, from: number): void {
    this.#requests.readLastDetail(source.requests, row, words, from);
  }

  /** Takes in rows of an ended process that had other buckets: only their numbers of requests can be used. */
  addWithOtherBuckets(rows: readonly RowData[]): void {
    for (const { labels, cells } of rows) {
      let requests = 0;
      for (let i = 0; i < cells.length - 1; i++) requests += cells[i] ?? 0;
      this.#requests.addWithOtherBuckets(this.rowOf(labels), requests);
    }
  }

  /** Makes the counts of an ended process part of the gone. */
  retire(source: Source): void {
    if (!this.#sources.delete(source)) return;
    this.#requests.retire(source.requests);
    this.#families.retire(source.families);
  }

  /** Drops a process whose counts are in a `gone` that was set. */
  forget(source: Source): void {
    this.#sources.delete(source);
    this.#requests.forget(source.requests);
    this.#families.forget(source.families);
  }

  get gone(): Counts {
    return { rows: this.#requests.gone, metrics: this.#families.gone };
  }

  set gone({ rows, metrics }: Counts) {
    this.#requests.gone = rows;
    this.#families.gone = metrics;
  }

  /**
   * Adds up the request counts.
   * @param detailed whether to add start times, native buckets and exemplars, which
   *   the text format does not have
   */
  requests(slices: Slices, detailed = false): Promise<RequestCounts> {
    return this.#requests.counts(this.#sources, slices, detailed);
  }

  /** Takes in the durable counters of a process from its ledger. */
  readCounters(source: Source, metrics: readonly SnapshotMetric[]): void {
    this.#sources.add(source);
    this.#families.read(source.families, { metrics, rows: [] });
  }

  /** Adds up the durable counters. */
  counters(slices: Slices): Promise<readonly Family[]> {
    return this.#families.durable(this.#sources, slices);
  }

  /** Adds up all other metrics; `live` are the processes whose gauges count. */
  families(live: readonly Live[], slices: Slices): Promise<readonly Family[]> {
    return this.#families.families(this.#sources, live, slices);
  }
}
