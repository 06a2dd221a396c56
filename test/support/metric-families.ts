import { parse } from 'protobufjs';
import { request } from './exchange';
import { type Family, type Sample, seriesKey } from './exposition';

const PROTOBUF = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited';

/** The messages as the format's documentation has them, as far as anybody sends them. */
const { root } = parse(`
  syntax = "proto2";
  package io.prometheus.client;
  message LabelPair { optional string name = 1; optional string value = 2; }
  enum MetricType { COUNTER = 0; GAUGE = 1; SUMMARY = 2; UNTYPED = 3; HISTOGRAM = 4; GAUGE_HISTOGRAM = 5; }
  message Gauge { optional double value = 1; }
  message Timestamp { optional int64 seconds = 1; optional int32 nanos = 2; }
  message Counter { optional double value = 1; optional Exemplar exemplar = 2; optional Timestamp created_timestamp = 3; }
  message Quantile { optional double quantile = 1; optional double value = 2; }
  message Summary {
    optional uint64 sample_count = 1; optional double sample_sum = 2; repeated Quantile quantile = 3;
    optional Timestamp created_timestamp = 4;
  }
  message Untyped { optional double value = 1; }
  message Histogram {
    optional uint64 sample_count = 1; optional double sample_count_float = 4; optional double sample_sum = 2;
    repeated Bucket bucket = 3; optional Timestamp created_timestamp = 15;
    optional sint32 schema = 5; optional double zero_threshold = 6; optional uint64 zero_count = 7;
    optional double zero_count_float = 8;
    repeated BucketSpan negative_span = 9; repeated sint64 negative_delta = 10; repeated double negative_count = 11;
    repeated BucketSpan positive_span = 12; repeated sint64 positive_delta = 13; repeated double positive_count = 14;
    repeated Exemplar exemplars = 16;
  }
  message Bucket {
    optional uint64 cumulative_count = 1; optional double cumulative_count_float = 4; optional double upper_bound = 2;
    optional Exemplar exemplar = 3;
  }
  message BucketSpan { optional sint32 offset = 1; optional uint32 length = 2; }
  message Exemplar { repeated LabelPair label = 1; optional double value = 2; optional Timestamp timestamp = 3; }
  message Metric {
    repeated LabelPair label = 1; optional Gauge gauge = 2; optional Counter counter = 3; optional Summary summary = 4;
    optional Untyped untyped = 5; optional Histogram histogram = 7; optional int64 timestamp_ms = 6;
  }
  message MetricFamily {
    optional string name = 1; optional string help = 2; optional MetricType type = 3; repeated Metric metric = 4;
    optional string unit = 5;
  }
`);
const MetricFamily = root.lookupType('io.prometheus.client.MetricFamily');

interface LabelPair {
  readonly name: string;
  readonly value: string;
}

interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}

interface DecodedExemplar {
  readonly label: readonly LabelPair[];
  readonly value: number;
  readonly timestamp?: Timestamp;
}

export interface DecodedHistogram {
  readonly sampleCount?: number;
  readonly sampleCountFloat?: number;
  readonly sampleSum: number;
  readonly bucket?: readonly {
    readonly cumulativeCount?: number;
    readonly cumulativeCountFloat?: number;
    readonly upperBound: number;
    readonly exemplar?: DecodedExemplar;
  }[];
  readonly createdTimestamp?: Timestamp;
  /** The exemplars of the native buckets. */
  readonly exemplars?: readonly DecodedExemplar[];
  readonly schema?: number;
  readonly zeroThreshold?: number;
  readonly zeroCount?: number;
  readonly positiveSpan?: readonly { readonly offset: number; readonly length: number }[];
  readonly positiveDelta?: readonly number[];
}

interface Value {
  readonly value: number;
  readonly createdTimestamp?: Timestamp;
}

export interface DecodedMetric {
  readonly label?: readonly LabelPair[];
  readonly counter?: Value;
  readonly gauge?: Value;
  readonly untyped?: Value;
  readonly summary?: {
    readonly sampleCount: number;
    readonly sampleSum: number;
    readonly createdTimestamp?: Timestamp;
  };
  readonly histogram?: DecodedHistogram;
}

export interface DecodedFamily {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly metric: readonly DecodedMetric[];
}

/** Reads `MetricFamily` messages that are each preceded by their length. Throws for what is none. */
export function decodeFamilies(bytes: Uint8Array): DecodedFamily[] {
  const families: DecodedFamily[] = [];
  let at = 0;
  while (at < bytes.length) {
    const [length, start] = varint(bytes, at);
    if (start + length > bytes.length) throw new Error(`a family of ${length} bytes ends after the message`);
    const message = MetricFamily.decode(bytes.subarray(start, start + length));
    const object = MetricFamily.toObject(message, { enums: String, longs: Number });
    families.push({ metric: [], ...object } as unknown as DecodedFamily); // what the description above says
    at = start + length;
  }
  return families;
}

function varint(bytes: Uint8Array, at: number): [value: number, end: number] {
  let value = 0;
  for (let i = 0; ; i++) {
    const byte = bytes[at + i] ?? 0;
    value += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return [value, at + i + 1];
  }
}

/** Scrapes a service as protobuf. Throws unless the answer is a 200 of that type. */
export async function scrapeProtobuf(port: number): Promise<DecodedFamily[]> {
  const { status, headers, body } = await request(port, '/metrics', { headers: { Accept: PROTOBUF } });
  const type = headers.get('content-type');
  if (status !== 200 || type?.startsWith('application/vnd.google.protobuf') !== true)
    throw new Error(`/metrics answered ${status}, ${type}`);
  return decodeFamilies(body);
}

/** Since when each series counts, in ms since 1970, by its name and labels. */
export function startsIn(families: readonly DecodedFamily[]): Map<string, number> {
  const starts = new Map<string, number>();
  for (const { name, metric } of families) {
    for (const { label, counter, histogram, summary } of metric) {
      const start = (counter ?? histogram ?? summary)?.createdTimestamp;
      if (start) starts.set(seriesKey({ name, labels: labelsOf(label) }), timeOf(start));
    }
  }
  return starts;
}

/** The series of these names and labels that count since later than before, or no more. */
export function laterStarts(
  before: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
  which: RegExp,
): string[] {
  const chosen = [...before].filter(([series]) => which.test(series));
  return chosen.flatMap(([series, start]) => ((now.get(series) ?? Infinity) > start ? [series] : []));
}

/** The samples that the text format has for the same families, those of a histogram in the same order. */
export function asText(families: readonly DecodedFamily[]): ReadonlyMap<string, Family> {
  return new Map(
    families.map(({ name, help, type, metric }) => {
      const samples = metric.flatMap((one) => samplesOf(name, one));
      return [name, { name, help, type: type.toLowerCase(), samples }] as const;
    }),
  );
}

/** The labels of a metric or an exemplar. */
export function labelsOf(label: readonly LabelPair[] = []): Record<string, string> {
  return Object.fromEntries(label.map(({ name, value }) => [name, value]));
}

/** Converts a timestamp to ms since 1970. */
export function timeOf({ seconds, nanos }: Timestamp): number {
  return seconds * 1000 + nanos / 1e6;
}

function samplesOf(name: string, { label, histogram, summary, ...one }: DecodedMetric): Sample[] {
  const labels = labelsOf(label);
  if (histogram) return histogramSamples(name, labels, histogram);
  if (summary) {
    return [
      { name: `${name}_sum`, labels, value: summary.sampleSum },
      { name: `${name}_count`, labels, value: summary.sampleCount },
    ];
  }
  const value = (one.counter ?? one.gauge ?? one.untyped)?.value ?? NaN;
  return [{ name, labels, value }];
}

function histogramSamples(
  name: string,
  labels: Record<string, string>,
  { bucket = [], sampleCount, sampleCountFloat, sampleSum }: DecodedHistogram,
): Sample[] {
  const buckets = bucket.map(({ upperBound, cumulativeCount, cumulativeCountFloat }) => ({
    name: `${name}_bucket`,
    labels: { ...labels, le: upperBound === Infinity ? '+Inf' : String(upperBound) },
    value: cumulativeCount ?? cumulativeCountFloat ?? NaN,
  }));
  return [
    ...buckets,
    { name: `${name}_sum`, labels, value: sampleSum },
    { name: `${name}_count`, labels, value: sampleCount ?? sampleCountFloat ?? NaN },
  ];
}

/** The counts of a native histogram by bucket, those that are not 0. */
export function nativeCounts({
  positiveSpan = [],
  positiveDelta = [],
}: DecodedHistogram): Map<number, number> {
  const counts = new Map<number, number>();
  let [index, at, count] = [0, 0, 0];
  for (const { offset, length } of positiveSpan) {
    index += offset;
    for (let i = 0; i < length; i++, index++) {
      count += positiveDelta[at++] ?? NaN;
      if (count !== 0) counts.set(index, count);
    }
  }
  return counts;
}
