import type { Foreseen } from './foreseen.js';
import { detailWords, RowDetail, type Trace } from './row-detail.js';

/**
 * The labels that identify a row. `endpoint` is a path template of the API
 * description, `unmatched` or `malformed`.
 */
export interface RowLabels {
  readonly method: string;
  readonly endpoint: string;
  readonly status: number;
}

/** The counts of one (method, endpoint, status). */
export interface Row {
  readonly labels: RowLabels;
  /**
   * The cells: `buckets.length + 1` counts, not cumulative, the last one for +Inf; then the sum in seconds.
   */
  readonly cells: Float64Array;
  /** The native counts of the same observations, their exemplars, and the time of the first one. */
  readonly detail: RowDetail;
  /** Makes a change outlive the process, where the store can. To be called after each change. */
  commit(): void;
}

/** Makes and keeps rows. `append` does not throw: a store that can't persist keeps the row in memory. */
export interface RowStore {
  /** @param start when the row's first request arrived, in ms since 1970 */
  append(labels: RowLabels, start: number): Row;
}

/** Makes a store for a process that nobody outlives: serverless, tests. */
export function memoryRows(buckets: readonly number[]): RowStore {
  return { append: (labels, start) => memoryRow(labels, start, buckets) };
}

/** Makes a row that is in no file. */
export function memoryRow(labels: RowLabels, start: number, buckets: readonly number[]): Row {
  const words = new Float64Array(detailWords(buckets));
  words[0] = start;
  return {
    labels,
    cells: new Float64Array(buckets.length + 2),
    detail: new RowDetail(words),
    commit() {},
  };
}

/**
 * Notes requests in progress for processes that outlive this one. A slot belongs to one
 * request until that is answered.
 */
export interface ProgressNotes {
  /** @param arrived by `performance.now()` */
  enter(arrived: number, template: string, method: string): number;
  route(slot: number, template: string): void;
  identify(slot: number, requestId: string): void;
  leave(slot: number): void;
}

/**
 * The request counts of one process. The counter and the histogram are both read from its rows, so they can't
 * disagree. `inProgress` is the number of requests that have arrived and are not yet counted.
 */
export class RequestMetrics {
  inProgress = 0;
  /** The number of requests that were refused under overload; they are counted with all others, too. */
  shed = 0;
  readonly buckets: readonly number[];
  /** The series to expose at 0 until they are counted. */
  readonly foreseen: Foreseen[] = [];
  readonly #store: RowStore;
  readonly #rows: Row[] = [];
  readonly #endpoints = new Map<string, Endpoint>();

  constructor(
    buckets: readonly number[],
    store: RowStore = memoryRows(buckets),
    readonly inFlight?: ProgressNotes,
  ) {
    this.buckets = buckets;
    this.#store = store;
  }

  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** Returns the only Endpoint of this template: look it up at boot and keep it. */
  endpoint(template: string): Endpoint {
    let endpoint = this.#endpoints.get(template);
    if (!endpoint) {
      endpoint = new Endpoint(template, this.buckets, (labels, start) => this.#append(labels, start));
      this.#endpoints.set(template, endpoint);
    }
    return endpoint;
  }

  /** Counts the answered requests by bucket of their latency; the last one is +Inf's. */
  answered(): number[] {
    const counts = [...this.buckets, Infinity].map(() => 0);
    for (const { cells } of this.#rows) for (const i of counts.keys()) counts[i]! += cells[i] ?? 0;
    return counts;
  }

  #append(labels: RowLabels, start: number): Row {
    const row = this.#store.append(labels, start);
    this.#rows.push(row);
    return row;
  }
}

/**
 * The methods that get a label value of their own: RFC 9110 section 9 and PATCH (RFC 5789), as
 * OpenTelemetry's HTTP conventions have it. Any other is `OTHER`, so that a client can't make series.
 */
export const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
]);

/** Returns the label value of a request's method. */
export function methodLabel(method: string): string {
  return METHODS.has(method) ? method : 'OTHER';
}

/** The part of an Endpoint that counting a request needs. */
export type CountedAs = Pick<Endpoint, 'template' | 'observe'>;

/** The rows of one path template. */
export class Endpoint {
  readonly template: string;
  readonly #buckets: readonly number[];
  readonly #append: RowStore['append'];
  /** The rows by method, then by status. */
  readonly #rows = new Map<string, Map<number, Row>>();

  constructor(template: string, buckets: readonly number[], append: RowStore['append']) {
    this.template = template;
    this.#buckets = buckets;
    this.#append = append;
  }

  /**
   * Counts one answer. It is persisted when this returns, where the store can.
   * @param trace the trace of a sampled request: it becomes an exemplar
   */
  observe(method: string, status: number, seconds: number, trace?: Trace): void {
    const row = this.#rows.get(method)?.get(status) ?? this.#row(method, status, seconds);
    const { cells, detail } = row;
    // The detail counts first: a reader of the cells, and then of the detail, must not find less in it.
    detail.count(seconds);
    const buckets = this.#buckets;
    let bucket = 0;
    // Beyond the last bound the comparison is false: the loop ends at the +Inf cell.
    while (seconds > (buckets[bucket] ?? Infinity)) bucket++;
    cells[bucket]! += 1;
    cells[buckets.length + 1]! += seconds;
    if (trace) detail.note(bucket, trace, seconds);
    row.commit();
  }

  #row(given: string, status: number, seconds: number): Row {
    const method = methodLabel(given);
    const start = Date.now() - Math.ceil(1000 * seconds);
    let byStatus = this.#rows.get(method);
    if (!byStatus) this.#rows.set(method, (byStatus = new Map()));
    let row = byStatus.get(status);
    if (!row) byStatus.set(status, (row = this.#append({ method, endpoint: this.template, status }, start)));
    return row;
  }
}
