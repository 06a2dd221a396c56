import { Counter, Histogram, Registry } from 'prom-client';
import { processGatherer } from '../../../src/metrics/exposition/process-gatherer';
import { RequestMetrics } from '../../../src/metrics/request-metrics';
import { RequestReadings, RequestTotals } from '../../../src/metrics/aggregation/request-totals';
import { TextRenderer } from '../../../src/metrics/exposition/text-renderer';
import { SERVICE_METRICS } from '../../../src/metrics/metric-catalogue';
import { Slices } from '../../../src/metrics/event-loop-turns';

/** The same observations made with prom-client's own counter and histogram. */
class Reference {
  readonly registry = new Registry();
  readonly #counter: Counter;
  readonly #histogram: Histogram;

  constructor(prefix: string, buckets: number[]) {
    const { requestCount, requestLatency } = SERVICE_METRICS;
    const registers = [this.registry];
    this.#counter = new Counter({
      name: prefix + requestCount.name,
      help: requestCount.help,
      labelNames: requestCount.labels,
      registers,
    });
    this.#histogram = new Histogram({
      name: prefix + requestLatency.name,
      help: requestLatency.help,
      labelNames: requestLatency.labels,
      buckets,
      registers,
    });
  }

  observe(method: string, endpoint: string, status: number, seconds: number): void {
    this.#counter.inc({ method, endpoint, http_status: status });
    this.#histogram.observe({ method, endpoint }, seconds);
  }
}

type Observation = [method: string, endpoint: string, status: number, seconds: number];

async function both(prefix: string, buckets: number[], observations: Observation[]): Promise<string[]> {
  const reference = new Reference(prefix, buckets);
  const metrics = new RequestMetrics(buckets);
  for (const [method, endpoint, status, seconds] of observations) {
    reference.observe(method, endpoint, status, seconds);
    metrics.endpoint(endpoint).observe(method, status, seconds);
  }
  const ours = await processGatherer(prefix, metrics, new Registry()).gather();
  return [ours.bytes.toString(), await reference.registry.metrics()];
}

describe('the text of the request metrics is the one of prom-client', () => {
  it.each<[string, number[], Observation[]]>([
    ['without an observation', [0.1, 1], []],
    [
      'in the bounds and between them',
      [0.1, 1],
      [0, 0.1, 0.10001, 1, 1.5, 1e9].map((s) => ['GET', '/', 200, s]),
    ],
    [
      'for several statuses, methods and endpoints, in their order',
      [0.005, 2.5],
      [
        ['POST', '/b', 500, 0.25],
        ['GET', '/a', 200, 0.125],
        ['POST', '/b', 200, 0.5],
        ['GET', '/b', 404, 1],
        ['POST', '/b', 500, 8],
      ],
    ],
    [
      'with escapes',
      [1],
      ['/"quoted"', '/back\\slash', '/line\nfeed', '/ünï{code}', '/\\n', '/\\"'].map((path) => [
        'GET',
        path,
        200,
        1,
      ]),
    ],
    [
      'for large, small and crooked numbers',
      [1e-7, 0.3, 1e21],
      [1e-9, 0.1 + 0.2, 1e22, 123456789.123456].map((s) => ['GET', '/', 200, s]),
    ],
    ['without buckets', [], [['GET', '/', 200, 1]]],
  ])('%s', async (_, buckets, observations) => {
    const [ours, theirs] = await both('flask_app_', buckets, observations);
    expect(ours).toBe(theirs);
  });

  it('for a thousand routes', async () => {
    const observations = Array.from({ length: 3000 }, (_, i): Observation => [
      'GET',
      `/r/${i % 1000}`,
      200 + (i % 3),
      (i % 50) / 8,
    ]);
    const [ours, theirs] = await both('x_', [0.5, 1, 2], observations);
    expect(ours).toBe(theirs);
  });
});

it('a row that is added while the totals are made is left to the next time, and spoils no other', async () => {
  const totals = new RequestTotals([1]);
  const source = { requests: new RequestReadings() };
  const observe = (endpoint: string, status: number) =>
    totals.read(source.requests, totals.indexOf({ method: 'GET', endpoint, status }), [1, 0, 0.5]);
  const slices = await Slices.begin();
  const renderer = new TextRenderer('x_', [1]);
  const render = async () => {
    const requests = await totals.counts(new Set([source]), slices);
    return (await renderer.render({ asOf: 0, requests, others: Promise.resolve([]) })).toString();
  };
  for (let i = 0; i < 40; i++) observe(`/r/${i}`, 200);
  const before = await render();
  // Each look at the clock ends a slice.
  let now = 0;
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => (now += 100));
  const rendering = render();
  observe('/r/39', 500);
  observe('/new', 200);
  expect(await rendering).toBe(before);
  clock.mockRestore();
  const after = await render();
  expect(after).toContain('x_request_count{method="GET",endpoint="/r/39",http_status="500"} 1\n');
  expect(after).toContain('x_request_latency_seconds_count{method="GET",endpoint="/r/39"} 2\n');
  expect(after).toContain('x_request_latency_seconds_count{method="GET",endpoint="/new"} 1\n');
});
