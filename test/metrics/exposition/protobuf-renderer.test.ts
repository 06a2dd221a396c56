import * as fc from 'fast-check';
import { Counter, Gauge, Histogram, Registry, Summary } from 'prom-client';
import { processGatherer } from '../../../src/metrics/exposition/process-gatherer';
import { RequestMetrics } from '../../../src/metrics/request-metrics';
import { type Family, parseExposition, seriesKey } from '../../support/exposition';
import {
  asText,
  type DecodedFamily,
  type DecodedMetric,
  decodeFamilies,
  labelsOf,
  nativeCounts,
  timeOf,
} from '../../support/metric-families';

const buckets = [0.1, 1];
const trace = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };

async function decoded(metrics: RequestMetrics, registry = new Registry()): Promise<DecodedFamily[]> {
  const { bytes } = await processGatherer('p_', metrics, registry).gather('protobuf');
  return decodeFamilies(bytes);
}

function metricsOf(families: readonly DecodedFamily[], name: string): readonly DecodedMetric[] {
  return families.find((family) => family.name === name)?.metric ?? [];
}

function samplesByFamily(families: ReadonlyMap<string, Family>): unknown {
  return [...families.values()].map(({ name, type, help, samples }) => ({
    name,
    type,
    help,
    samples: samples.map((sample) => [seriesKey(sample), sample.value]),
  }));
}

/** HELP of the text format as it was before it was escaped. */
function unescaped(families: ReadonlyMap<string, Family>): ReadonlyMap<string, Family> {
  return new Map(
    [...families].map(([name, { help = '', ...family }]) => [name, { ...family, help: plain(help) }]),
  );
}

function plain(help: string): string {
  return help.replaceAll(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
}

/** Half of a character, as is left where a text was cut. */
const HALF = '\ud83d';

const label = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.constantFrom('"', '\\', '\n', 'é', '', HALF),
);
const amount = fc.oneof(
  fc.nat(1000),
  fc.double({ min: 0, max: 1e15, noNaN: true }),
  fc.constantFrom(0, 2 ** 31, 2 ** 32, 2 ** 53, 1e-300, 0.1 + 0.2),
);
const signed = fc.oneof(amount, fc.double({ noNaN: true }));
const observed = fc.array(fc.tuple(label, amount), { maxLength: 8 });

const registries = fc
  .record({
    help: fc.oneof(fc.string({ minLength: 1, maxLength: 10 }), fc.constant(`cut ${HALF}`)),
    counters: observed,
    gauges: fc.array(fc.tuple(label, signed), { maxLength: 8 }),
    histograms: observed,
    summaries: observed,
  })
  .map(({ help, counters, gauges, histograms, summaries }) => {
    const registry = new Registry();
    const options = { help, labelNames: ['l'], registers: [registry] };
    const counter = new Counter({ ...options, name: 'c_total' });
    for (const [l, value] of counters) counter.inc({ l }, value);
    const gauge = new Gauge({ ...options, name: 'g' });
    for (const [l, value] of gauges) gauge.set({ l }, value);
    const histogram = new Histogram({ ...options, name: 'h', buckets: [0.5, 10, 1e6] });
    for (const [l, value] of histograms) histogram.observe({ l }, value);
    const summary = new Summary({ ...options, name: 's' });
    for (const [l, value] of summaries) summary.observe({ l }, value);
    new Counter({ name: 'plain_total', help, registers: [registry] }).inc(counters.length);
    return registry;
  });

const requests = fc.array(
  fc.tuple(
    fc.constantFrom('GET', 'POST', 'BREW'),
    fc.constantFrom('/', '/é"\\\n', 'unmatched'),
    fc.constantFrom(200, 404, 503),
    fc.double({ min: 0, max: 1e4, noNaN: true }),
  ),
  { maxLength: 30 },
);

test('whatever is counted, protobuf says the same as text', async () => {
  await fc.assert(
    fc.asyncProperty(registries, requests, async (registry, made) => {
      const metrics = new RequestMetrics(buckets);
      for (const [method, endpoint, status, seconds] of made)
        metrics.endpoint(endpoint).observe(method, status, seconds);
      const gatherer = processGatherer('p_', metrics, registry);
      const [text, protobuf] = await Promise.all([gatherer.gather('text'), gatherer.gather('protobuf')]);
      const expected = unescaped(parseExposition(text.bytes.toString()));
      const families = decodeFamilies(protobuf.bytes);
      expect(samplesByFamily(asText(families))).toEqual(samplesByFamily(expected));
      for (const { histogram } of metricsOf(families, 'p_request_latency_seconds')) {
        const counts = [...nativeCounts(histogram!).values()].reduce((all, count) => all + count, 0);
        expect(counts + (histogram?.zeroCount ?? NaN)).toBe(histogram?.sampleCount);
      }
    }),
    { numRuns: 60 },
  );
}, 120_000);

test('a metric that is of no type is one', async () => {
  const registry = new Registry();
  const values = [{ labels: { l: 'x' }, value: -2 }];
  const metric = { name: 'u', help: 'h', type: 'untyped', aggregator: 'sum', values };
  // prom-client registers whatever can be asked.
  registry.registerMetric({ ...metric, get: () => Promise.resolve(metric) } as never);
  const gatherer = processGatherer('p_', new RequestMetrics(buckets), registry);
  const { bytes } = await gatherer.gather('text');
  expect(bytes.toString()).toContain('# TYPE u untyped\nu{l="x"} -2\n');
  const [family] = decodeFamilies((await gatherer.gather('protobuf')).bytes).slice(-1);
  expect(family).toMatchObject({ name: 'u', type: 'UNTYPED', metric: [{ untyped: { value: -2 } }] });
});

test('a request is in the native histogram beside the classic one, with schema and zero bucket', async () => {
  const metrics = new RequestMetrics(buckets);
  for (const seconds of [0, 1, 1, 3000, 5000]) metrics.endpoint('/').observe('GET', 200, seconds);
  metrics.endpoint('/').observe('GET', 500, 1);
  const [metric] = metricsOf(await decoded(metrics), 'p_request_latency_seconds');
  expect(metric?.histogram).toMatchObject({
    sampleCount: 6,
    sampleSum: 8003,
    schema: 3,
    zeroThreshold: 2 ** -17,
    zeroCount: 1,
  });
  expect(nativeCounts(metric!.histogram!)).toEqual(
    new Map([
      [0, 3],
      [93, 1],
      [97, 1],
    ]),
  );
});

test('the latest sampled request of each bucket is its exemplar, of whatever status it was', async () => {
  const metrics = new RequestMetrics(buckets);
  const endpoint = metrics.endpoint('/');
  endpoint.observe('GET', 200, 0.05, trace);
  metrics.rows[0]?.detail.note(0, trace, 0.05, 1000);
  endpoint.observe('GET', 500, 0.06, { ...trace, spanId: '1'.repeat(16) });
  endpoint.observe('GET', 200, 0.5);
  const [metric] = metricsOf(await decoded(metrics), 'p_request_latency_seconds');
  const exemplars = metric?.histogram?.bucket?.map(({ exemplar }) => exemplar);
  expect(exemplars?.map((one) => one?.value)).toEqual([0.06, undefined, undefined]);
  expect(metric?.histogram?.exemplars).toEqual([exemplars?.[0]]);
  expect(labelsOf(exemplars?.[0]?.label)).toEqual({ trace_id: trace.traceId, span_id: '1'.repeat(16) });
  expect(Math.abs(timeOf(exemplars![0]!.timestamp!) - Date.now())).toBeLessThan(60_000);
});

test('counters and histograms say since when they count, gauges do not', async () => {
  const registry = new Registry();
  new Counter({ name: 'c', help: 'h', registers: [registry] }).inc(1);
  new Gauge({ name: 'g', help: 'h', registers: [registry] }).set(0);
  new Summary({ name: 's', help: 'h', registers: [registry] }).observe(1);
  const metrics = new RequestMetrics(buckets);
  metrics.endpoint('/').observe('GET', 200, 2);
  const families = await decoded(metrics, registry);
  const startOf = (name: string): number => {
    const [metric] = metricsOf(families, name);
    const { createdTimestamp } = metric?.counter ?? metric?.histogram ?? metric?.summary ?? {};
    return createdTimestamp ? timeOf(createdTimestamp) : NaN;
  };
  const arrived = metrics.rows[0]!.detail.toDetail().start;
  expect(startOf('p_request_count')).toBe(arrived);
  expect(startOf('p_request_latency_seconds')).toBe(arrived);
  expect(startOf('c')).toBe(Math.floor(performance.timeOrigin));
  expect(startOf('s')).toBe(Math.floor(performance.timeOrigin));
  expect(metricsOf(families, 'g')).toEqual([{ gauge: { value: 0 } }]);
});

test('a series that was not there at the gathering before began after it', async () => {
  const registry = new Registry();
  const counter = new Counter({ name: 'c', help: 'h', labelNames: ['l'], registers: [registry] });
  const gatherer = processGatherer('p_', new RequestMetrics(buckets), registry);
  const before = Date.now();
  await gatherer.gather('text');
  counter.inc({ l: 'late' }, 7);
  const starts: number[] = [];
  for (let scrape = 0; scrape < 2; scrape++) {
    const [metric] = metricsOf(decodeFamilies((await gatherer.gather('protobuf')).bytes), 'c');
    starts.push(timeOf(metric!.counter!.createdTimestamp!));
  }
  expect(starts[0]).toBeGreaterThanOrEqual(before);
  expect(starts[0]).toBeLessThanOrEqual(Date.now());
  expect(starts[1]).toBe(starts[0]);
});
