import { RequestMetrics } from '../../src/metrics/request-metrics';
import { nativeCell } from '../../src/metrics/native-buckets';
import {
  detailWords,
  type Exemplar,
  exemplarIn,
  nativeIn,
  RowDetail,
  startIn,
} from '../../src/metrics/row-detail';

const buckets = [0.1, 1];
const trace = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };

function words(metrics: RequestMetrics): Float64Array {
  return metrics.rows[0]?.detail.words ?? new Float64Array();
}

function exemplars(of: Float64Array): (Exemplar | undefined)[] {
  return [0, 1, 2].map((bucket) => exemplarIn(of, 0, bucket));
}

test('an observation is in one native bucket', () => {
  const metrics = new RequestMetrics(buckets);
  for (const seconds of [0.01, 0.01, 2]) metrics.endpoint('/').observe('GET', 200, seconds);
  const native = nativeIn(words(metrics), 0);
  const counted = [...native.entries()].filter(([, count]) => count > 0);
  expect(counted).toEqual([
    [nativeCell(0.01), 2],
    [nativeCell(2), 1],
  ]);
});

test('a row begins when its first request arrived', () => {
  const metrics = new RequestMetrics(buckets);
  const before = Date.now();
  metrics.endpoint('/').observe('GET', 200, 1.5);
  metrics.endpoint('/').observe('GET', 200, 100);
  const start = startIn(words(metrics), 0);
  expect(start).toBeGreaterThanOrEqual(before - 1500);
  expect(start).toBeLessThanOrEqual(Date.now() - 1500);
});

test('the exemplar of a bucket is its latest request that has a trace', () => {
  const metrics = new RequestMetrics(buckets);
  const endpoint = metrics.endpoint('/');
  const before = Date.now();
  endpoint.observe('GET', 200, 0.5, { ...trace, spanId: '0000000000000001' });
  endpoint.observe('GET', 200, 0.7, trace);
  endpoint.observe('GET', 200, 0.9);
  endpoint.observe('GET', 200, 30, trace);
  const [none, middle, last] = exemplars(words(metrics));
  expect(none).toBeUndefined();
  expect(middle).toEqual({ ...trace, seconds: 0.7, time: expect.any(Number) });
  expect(middle?.time).toBeGreaterThanOrEqual(before);
  expect(middle?.time).toBeLessThanOrEqual(Date.now());
  expect(last).toMatchObject({ ...trace, seconds: 30 });
});

test('without a trace not a byte of an exemplar is written', () => {
  const metrics = new RequestMetrics(buckets);
  metrics.endpoint('/').observe('GET', 200, 0.5);
  expect(exemplars(words(metrics))).toEqual([undefined, undefined, undefined]);
  expect(
    words(metrics)
      .slice(-15)
      .every((word) => Object.is(word, 0)),
  ).toBe(true);
});

test('half of an exemplar is none, whichever half it is', () => {
  const half = new Float64Array(detailWords(buckets));
  const first = new RowDetail(new Float64Array(detailWords(buckets)));
  const second = new RowDetail(new Float64Array(detailWords(buckets)));
  first.note(1, trace, 0.5, 1_700_000_000_123);
  second.note(1, { traceId: 'f'.repeat(32), spanId: 'e'.repeat(16) }, 0.6, 1_700_000_000_456);
  const at = half.length - 10;
  for (let split = 1; split < 5; split++) {
    half.set(first.words);
    half.set(second.words.subarray(at, at + split), at);
    expect(exemplars(half)).toEqual([undefined, undefined, undefined]);
  }
  half.set(second.words);
  expect(exemplars(half)[1]).toMatchObject({ seconds: 0.6, time: 1_700_000_000_456 });
});
