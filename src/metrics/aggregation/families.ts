import type { Exemplar } from '../row-detail.js';
import type { Labels, MetricType } from '../snapshot/snapshot.js';

/** A family of metrics as a renderer needs it, in any format. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly metrics: readonly Metric[];
}

/** What has one set of labels: a counter's or gauge's one sample; a histogram's buckets, sum and count. */
export interface Metric {
  /** Without `le`. */
  readonly labels: Labels;
  /** Since when it counts, in ms since 1970. Gauges have none. */
  readonly start?: number;
  /** A histogram's buckets come first, ascending and cumulative. */
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly series: Series;
  readonly value: number;
}

/** What of a sample stays from scrape to scrape. */
export interface Series {
  /** What it is in its metric; `value` for a counter or gauge. */
  readonly part: 'value' | 'bucket' | 'sum' | 'count';
  /** A bucket's upper bound; NaN for the other parts. */
  readonly bound: number;
  /** With `le`. */
  readonly labels: Labels;
  /** Its name and labels in the text format. */
  readonly text: string;
}

/** The two request metrics of the whole service at a time: counters by row, histograms by (method, endpoint). */
export interface RequestCounts {
  readonly rows: readonly RequestRow[];
  /** How many requests each row has counted. */
  readonly counts: Float64Array;
  readonly groups: readonly RequestGroup[];
  /** For each group its buckets, not cumulative, the last for +Inf; then the sum in seconds. */
  readonly histograms: Float64Array;
  /** Where a format was asked for that has it. */
  readonly details?: RequestDetails;
}

/** What the text format has not. Times are in ms since 1970. */
export interface RequestDetails {
  /** Since when each row counts; NaN where it is not known. */
  readonly starts: Float64Array;
  readonly groups: readonly GroupDetail[];
}

export interface GroupDetail {
  readonly start: number;
  /** As many requests as the histogram has; undefined where they are not all known. */
  readonly native: Float64Array | undefined;
  /** By classic bucket. */
  readonly exemplars: readonly (Exemplar | undefined)[];
}

export interface RequestRow extends RequestGroup {
  readonly status: number;
}

export interface RequestGroup {
  readonly method: string;
  readonly endpoint: string;
}
