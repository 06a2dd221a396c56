import type { Writer } from 'protobufjs/minimal';
import { type NativeBuckets, SCHEMA, ZERO_THRESHOLD } from '../native-buckets.js';
import type { Exemplar } from '../row-detail.js';
import type { Labels, MetricType } from '../snapshot/snapshot.js';

/*
 * The used fields of the messages of `io.prometheus.client` (metrics.proto of
 * github.com/prometheus/client_model). All are optional, so that parts of a message that are written apart
 * from each other may stand in any order.
 */
const VARINT = 0;
const DOUBLE = 1;
const MESSAGE = 2;

const tag = (field: number, wireType: number): number => field * 8 + wireType;

const FAMILY = {
  name: tag(1, MESSAGE),
  help: tag(2, MESSAGE),
  type: tag(3, VARINT),
  metric: tag(4, MESSAGE),
};
const METRIC = {
  label: tag(1, MESSAGE),
  gauge: tag(2, MESSAGE),
  counter: tag(3, MESSAGE),
  summary: tag(4, MESSAGE),
  untyped: tag(5, MESSAGE),
  histogram: tag(7, MESSAGE),
};
const LABEL = { name: tag(1, MESSAGE), value: tag(2, MESSAGE) };
const COUNTER = { value: tag(1, DOUBLE), start: tag(3, MESSAGE) };
const GAUGE = { value: tag(1, DOUBLE) };
const SUMMARY = { count: tag(1, VARINT), sum: tag(2, DOUBLE), start: tag(4, MESSAGE) };
const HISTOGRAM = {
  count: tag(1, VARINT),
  sum: tag(2, DOUBLE),
  bucket: tag(3, MESSAGE),
  floatCount: tag(4, DOUBLE),
  schema: tag(5, VARINT),
  zeroThreshold: tag(6, DOUBLE),
  zeroCount: tag(7, VARINT),
  positiveSpan: tag(12, MESSAGE),
  positiveDelta: tag(13, VARINT),
  start: tag(15, MESSAGE),
  exemplar: tag(16, MESSAGE),
};
const BUCKET = {
  count: tag(1, VARINT),
  bound: tag(2, DOUBLE),
  exemplar: tag(3, MESSAGE),
  floatCount: tag(4, DOUBLE),
};
const SPAN = { offset: tag(1, VARINT), length: tag(2, VARINT) };
const EXEMPLAR = { label: tag(1, MESSAGE), value: tag(2, DOUBLE), time: tag(3, MESSAGE) };
const TIMESTAMP = { seconds: tag(1, VARINT), nanos: tag(2, VARINT) };

const TYPES: Readonly<Record<MetricType, number>> = {
  counter: 0,
  gauge: 1,
  summary: 2,
  untyped: 3,
  histogram: 4,
};

/** A histogram to encode: classic buckets, and native ones if there are any. */
export interface HistogramValue {
  readonly count: number;
  readonly sum: number;
  /** The buckets, ascending and cumulative. */
  readonly buckets: readonly {
    readonly bound: number;
    readonly count: number;
    readonly exemplar?: Exemplar | undefined;
  }[];
  readonly native?: NativeBuckets | undefined;
  /** The time since which it counts, in ms since 1970. */
  readonly start: number | undefined;
}

let protobuf: ReturnType<typeof loadProtobuf> | undefined;

/** Loads the library, when somebody asks for the format for the first time. */
function loadProtobuf(): typeof import('protobufjs/minimal') {
  return require('protobufjs/minimal');
}

function newWriter(): Writer {
  protobuf ??= loadProtobuf();
  return protobuf.Writer.create();
}

/** Encodes the fields of a MetricFamily but for its metrics. */
export function encodeHead(name: string, help: string, type: MetricType): Uint8Array {
  const writer = newWriter().uint32(FAMILY.name).string(name);
  writeText(writer, FAMILY.help, help);
  return writer.uint32(FAMILY.type).uint32(TYPES[type]).finish();
}

/** Encodes the labels of a Metric. */
export function encodeLabels(labels: Labels): Uint8Array {
  const writer = newWriter();
  for (const [name, value] of Object.entries(labels)) writeLabel(writer, METRIC.label, name, String(value));
  return writer.finish();
}

/** Encodes the beginning of a family's metric of which `length` bytes follow. */
export function encodeMetricLength(length: number): Uint8Array {
  return newWriter().uint32(FAMILY.metric).uint32(length).finish();
}

/** Encodes the beginning of a family of which `length` bytes follow. */
export function encodeLength(length: number): Uint8Array {
  return newWriter().uint32(length).finish();
}

/** Encodes a Metric's counter; `start` is in ms since 1970. */
export function encodeCounter(value: number, start: number | undefined): Uint8Array {
  const writer = newWriter().uint32(METRIC.counter).fork().uint32(COUNTER.value).double(value);
  writeTime(writer, COUNTER.start, start);
  return writer.ldelim().finish();
}

/** Encodes a Metric's gauge, or its value without a type. */
export function encodeGauge(type: 'gauge' | 'untyped', value: number): Uint8Array {
  return newWriter().uint32(METRIC[type]).fork().uint32(GAUGE.value).double(value).ldelim().finish();
}

/** Encodes a Metric's summary without quantiles. */
export function encodeSummary(count: number, sum: number, start: number | undefined): Uint8Array {
  const writer = newWriter().uint32(METRIC.summary).fork().uint32(SUMMARY.count).uint64(count);
  writer.uint32(SUMMARY.sum).double(sum);
  writeTime(writer, SUMMARY.start, start);
  return writer.ldelim().finish();
}

/** Encodes a Metric's histogram. */
export function encodeHistogram({ count, sum, buckets, native, start }: HistogramValue): Uint8Array {
  const writer = newWriter().uint32(METRIC.histogram).fork();
  writeCount(writer, HISTOGRAM, count);
  writer.uint32(HISTOGRAM.sum).double(sum);
  for (const bucket of buckets) {
    writer.uint32(HISTOGRAM.bucket).fork();
    writeCount(writer, BUCKET, bucket.count);
    writer.uint32(BUCKET.bound).double(bucket.bound);
    if (bucket.exemplar) writeExemplar(writer, BUCKET.exemplar, bucket.exemplar);
    writer.ldelim();
  }
  if (native) {
    writeNative(writer, native);
    // Prometheus 3 reads the exemplars of native buckets from here, and only in the order of their times.
    const exemplars = buckets.flatMap(({ exemplar }) => exemplar ?? []);
    for (const exemplar of exemplars.toSorted((a, b) => a.time - b.time))
      writeExemplar(writer, HISTOGRAM.exemplar, exemplar);
  }
  writeTime(writer, HISTOGRAM.start, start);
  return writer.ldelim().finish();
}

/** Writes a count. Whole counts have a field of their own, which can't hold others. */
function writeCount(writer: Writer, tags: { count: number; floatCount: number }, count: number): void {
  if (Number.isSafeInteger(count)) writer.uint32(tags.count).uint64(count);
  else writer.uint32(tags.floatCount).double(count);
}

function writeNative(writer: Writer, { zeroCount, spans, deltas }: NativeBuckets): void {
  writer.uint32(HISTOGRAM.schema).sint32(SCHEMA).uint32(HISTOGRAM.zeroThreshold).double(ZERO_THRESHOLD);
  writer.uint32(HISTOGRAM.zeroCount).uint64(zeroCount);
  for (const { offset, length } of spans) {
    writer.uint32(HISTOGRAM.positiveSpan).fork();
    writer.uint32(SPAN.offset).sint32(offset).uint32(SPAN.length).uint32(length).ldelim();
  }
  for (const delta of deltas) writer.uint32(HISTOGRAM.positiveDelta).sint64(delta);
}

function writeExemplar(
  writer: Writer,
  tagOfField: number,
  { traceId, spanId, seconds, time }: Exemplar,
): void {
  writer.uint32(tagOfField).fork();
  writeLabel(writer, EXEMPLAR.label, 'trace_id', traceId);
  writeLabel(writer, EXEMPLAR.label, 'span_id', spanId);
  writer.uint32(EXEMPLAR.value).double(seconds);
  writeTime(writer, EXEMPLAR.time, time);
  writer.ldelim();
}

function writeLabel(writer: Writer, tagOfField: number, name: string, value: string): void {
  writer.uint32(tagOfField).fork().uint32(LABEL.name).string(name);
  writeText(writer, LABEL.value, value);
  writer.ldelim();
}

/**
 * Writes a text. Half a character, where somebody has cut it, is replaced as in the text format: protobufjs
 * would write it as it is, and Prometheus would refuse the whole scrape.
 */
function writeText(writer: Writer, tagOfField: number, text: string): void {
  writer.uint32(tagOfField).bytes(Buffer.from(text));
}

/** @param time in ms since 1970 */
function writeTime(writer: Writer, tagOfField: number, time: number | undefined): void {
  if (time === undefined) return;
  writer.uint32(tagOfField).fork();
  writer.uint32(TIMESTAMP.seconds).int64(Math.floor(time / 1000));
  writer.uint32(TIMESTAMP.nanos).int32((Math.floor(time) % 1000) * 1e6);
  writer.ldelim();
}
