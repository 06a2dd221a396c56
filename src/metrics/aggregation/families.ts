import type { Exemplar } from '../row-detail.js';
import type { Labels, MetricType } from '../snapshot/snapshot.js';

/** A family of metrics as a renderer needs it, in any format. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly metrics: readonly Metric[];
}

/** The samples of one set of labels: one of a counter or gauge; buckets, sum and count of a histogram. */
export interface Metric {
  /** The labels without `le`. */
  readonly labels: Labels;
  /** The time since which it counts, in ms since 1970. Gauges have none. */
  readonly start?: number;
  /** A histogram's buckets come first, ascending and cumulative. */
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly series: Series;
  readonly value: number;
}

/** The part of a sample that stays the same from scrape to scrape. */
export interface Series {
  /** The role of the series in its metric; `value` for a counter or gauge. */
  readonly part: 'value' | 'bucket' | 'sum' | 'count';
  /** A bucket's upper bound; NaN for the other parts. */
  readonly bound: number;
  /** The labels with `le`. */
  readonly labels: Labels;
  /** The name and labels of the series in the text format. */
  readonly text: string;
}

/**
 * The two request metrics of the whole service at one moment: counters by row,
 * histograms by (method, endpoint).
 */
export interface RequestCounts {
  readonly rows: readonly RequestRow[];
  /** The number of requests of each row. */
  readonly counts: Float64Array;
  readonly groups: readonly RequestGroup[];
  /** For each group its buckets, not cumulative, the last for +Inf; then the sum in seconds. */
  readonly histograms: Float64Array;
  /** The details, for a format that has them. */
  readonly details?: RequestDetails;
}

/** The details of request counts, which the text format does not have. Times are in ms since 1970. */
export interface RequestDetails {
  /** The time since which each row counts; NaN if it is not known. */
  readonly starts: Float64Array;
  readonly groups: readonly GroupDetail[];
}

export interface GroupDetail {
  readonly start: number;
  /** The native counts, as many as the histogram has; undefined if not all are known. */
  readonly native: Float64Array | undefined;
  /** The exemplars, by classic bucket. */
  readonly exemplars: readonly (Exemplar | undefined)[];
}

export interface RequestRow extends RequestGroup {
  readonly status: number;
}

export interface RequestGroup {
  readonly method: string;
  readonly endpoint: string;
}
