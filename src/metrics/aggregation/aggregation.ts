import type { Slices } from '../event-loop-turns.js';
import type { Foreseen } from '../foreseen.js';
import type { RowData } from '../ledger/ledger-reader.js';
import type { RowLabels } from '../request-metrics.js';
import type { Snapshot } from '../snapshot/snapshot.js';
import type { Family, RequestCounts } from './families.js';
import { type CountedMetric, FamilyReadings, FamilyTotals, type Live } from './family-totals.js';
import { type CountedRow, RequestReadings, RequestTotals } from './request-totals.js';

/** What processes have counted that are gone. It can be kept as JSON. */
export interface Counts {
  readonly rows: readonly CountedRow[];
  readonly metrics: readonly CountedMetric[];
}

export interface AggregationOptions {
  /** Upper bounds of the request histogram in seconds, ascending, without +Inf. */
  readonly buckets: readonly number[];
  /** Names of series that a snapshot may not bring. */
  readonly reserved: Iterable<string>;
  /** Called with the name of a metric whose definition has changed, and which begins anew. */
  readonly onRedefined?: (name: string) => void;
}

/** A process as the aggregation knows it: its last readings. */
export class Source {
  readonly requests = new RequestReadings();
  readonly families: FamilyReadings;

  /** @param birth is larger for a younger process, whose definition of a metric counts where two differ */
  constructor(birth: number) {
    this.families = new FamilyReadings(birth);
  }
}

/**
 * The counts of all processes of a service, alive or gone, as if they were one. What is read of a process again, or later, or
 * after its end, is counted once; every total is rounded once, whoever adds it up.
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

  /** Takes in what a process says of itself. */
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
   * Makes rows of what nobody has counted yet: they are at 0 until somebody does.
   * @param since when they began, in ms since 1970
   */
  foresee(series: readonly Foreseen[], since: number): void {
    for (const { method, endpoint, statuses } of series)
      for (const status of statuses) this.#requests.begin(this.rowOf({ method, endpoint, status }), since);
  }

  /** Which row of the totals has these labels. */
  rowOf(labels: RowLabels): number {
    return this.#requests.indexOf(labels);
  }

  /** Takes in a row of a process' ledger: its cells begin at `from` in `words`. */
  readRow(source: Source, row: number, words: ArrayLike<number>, from = 0): void {
    this.#sources.add(source);
    this.#requests.read(source.requests, row, words, from);
  }

  /** Whether a row of a process has counted more than its detail that was read. */
  lacksDetail(source: Source, row: number): boolean {
    return this.#requests.lacksDetail(source.requests, row);
  }

  /** Takes in the detail of a row, which begins at `from` in `words`, and was read after the row. */
  readDetail(source: Source, row: number, words: Float64Array, from = 0): void {
    this.#requests.readDetail(source.requests, row, words, from);
  }

  /** Takes in rows of a process that is gone: of those with other buckets only how many requests they count is of use. */
  addWithOtherBuckets(rows: readonly RowData[]): void {
    for (const { labels, cells } of rows) {
      let requests = 0;
      for (let i = 0; i < cells.length - 1; i++) requests += cells[i] ?? 0;
      this.#requests.addWithOtherBuckets(this.rowOf(labels), requests);
    }
  }

  /** To be called when a process is gone: what it has counted stays. */
  retire(source: Source): void {
    if (!this.#sources.delete(source)) return;
    this.#requests.retire(source.requests);
    this.#families.retire(source.families);
  }

  /** To be called when what a process has counted is in a `gone` that was set. */
  forget(source: Source): void {
    this.#sources.delete(source);
  }

  get gone(): Counts {
    return { rows: this.#requests.gone, metrics: this.#families.gone };
  }

  set gone({ rows, metrics }: Counts) {
    this.#requests.gone = rows;
    this.#families.gone = metrics;
  }

  /** @param detailed with what the text format has not */
  requests(slices: Slices, detailed = false): Promise<RequestCounts> {
    return this.#requests.counts(this.#sources, slices, detailed);
  }

  /** All other metrics; `live` are the processes whose gauges count. */
  families(live: readonly Live[], slices: Slices): Promise<readonly Family[]> {
    return this.#families.families(this.#sources, live, slices);
  }
}
