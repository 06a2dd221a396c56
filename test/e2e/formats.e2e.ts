import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { Registry } from 'prom-client';
import { createMetricsListener } from '../../src/http/own-operations/metrics-route';
import { createLog } from '../../src/log';
import type { Format } from '../../src/metrics/exposition/gatherer';
import { processGatherer } from '../../src/metrics/exposition/process-gatherer';
import { RequestMetrics } from '../../src/metrics/request-metrics';
import { eventually } from '../support/eventually';
import { Prometheus } from '../support/prometheus';
import { disposeAll, Service } from '../support/service';

const CONFIG = resolve(__dirname, '../../deploy/prometheus/prometheus.yml');
/** A newer Prometheus, where one can be had. */
const NEWER = process.env['PROMETHEUS_3'];
const HELLO = 'endpoint="/hello/{name}"';

let service: Service;
let prometheus: Prometheus;

async function start(options: Parameters<typeof Prometheus.start>[3], config = CONFIG): Promise<void> {
  service = await Service.start();
  prometheus = await Prometheus.start(config, `127.0.0.1:${service.port}`, '1s', options);
  await eventually('a scrape', 30_000, async () => (await prometheus.query('up == 1')).length === 1);
}

/** Waits for scrapes that began after this call. */
async function scrapes(times: number): Promise<void> {
  const last = await prometheus.value('max(timestamp(up))');
  await eventually('scrapes', 60_000, async () => {
    const seen = await prometheus.value('max(timestamp(up))');
    return seen >= last + times;
  });
}

afterEach(async () => {
  await prometheus?.dispose();
  await disposeAll();
});

test('the first request of its kind is an increase, of whatever status it is', async () => {
  await start({});
  await scrapes(2);
  for (let i = 0; i < 5; i++) expect((await service.get('/hello/Ada')).status).toBe(200);
  const bad = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{' };
  for (let i = 0; i < 2; i++) expect((await service.get('/echo', bad)).status).toBe(400);
  await scrapes(2);
  expect(
    await prometheus.value(`increase(flask_app_request_count{${HELLO},http_status="200"}[1m])`),
  ).toBeGreaterThan(4.9);
  expect(
    await prometheus.value('increase(flask_app_request_count{endpoint="/echo",http_status="400"}[1m])'),
  ).toBeGreaterThan(1.9);
  expect(await prometheus.value(`flask_app_request_count{${HELLO},http_status="500"}`)).toBe(0);
}, 120_000);

/** The value below which a share `p` of a normal distribution lies (A&S 26.2.23, to 0.0005). */
function normal(p: number): number {
  if (p > 0.5) return -normal(1 - p);
  const t = Math.sqrt(-2 * Math.log(p));
  const [above, below] = [
    2.515517 + t * (0.802853 + t * 0.010328),
    1 + t * (1.432788 + t * (0.189269 + t * 0.001308)),
  ];
  return above / below - t;
}

const NATIVE = ['native-histograms', 'exemplar-storage'];
const STARTS = [...NATIVE, 'created-timestamp-zero-ingestion'];
type Program = readonly [name: string, program: string, features: readonly string[]];
const programs: readonly Program[] = [
  ['the one that is installed', 'prometheus', NATIVE],
  ...(NEWER === undefined ? [] : [['a newer one', NEWER, STARTS] as const]),
];

describe.each(programs)('Prometheus, %s, that wants native histograms', (_name, program, features) => {
  test('has them, exact after a worker was killed, and finds a request by its trace', async () => {
    await start({ program, features });
    const traceId = randomBytes(16).toString('hex');
    const headers = { traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-01` };
    const unsampled = randomBytes(16).toString('hex');
    for (let i = 0; i < 50; i++) await service.get('/hello/Ada');
    process.kill(service.workers()[0] ?? NaN, 'SIGKILL');
    await service.allReady(2);
    for (let i = 0; i < 50; i++) await service.get('/hello/Ada');
    await service.get('/hello/Ada', { headers: { traceparent: `00-${unsampled}-${'1'.repeat(16)}-00` } });
    await service.get('/hello/Ada', { headers });
    const native = `flask_app_request_latency_seconds{${HELLO},method="GET"}`;
    await eventually('all of them', 30_000, async () => {
      const [series] = await prometheus.query(`histogram_count(${native})`);
      return series?.values[0]?.[1] === 102;
    });
    const sum = await prometheus.value(`histogram_sum(${native})`);
    const mean = sum / 102;
    const median = await prometheus.value(`histogram_quantile(0.5, ${native})`);
    expect(median).toBeGreaterThan(0);
    expect(median).toBeLessThan(20 * mean);
    expect(prometheus.scrapeErrors()).toEqual([]);
    const exemplars = await prometheus.exemplars(`{__name__=~"${native.split('{')[0]}.*",${HELLO}}`);
    const traces = exemplars.map(({ labels }) => labels['trace_id']);
    expect(traces).toContain(traceId);
    expect(traces).not.toContain(unsampled);
  }, 180_000);

  test('knows every quantile of a known distribution to 9 %', async () => {
    const metrics = new RequestMetrics([0.1, 1]);
    // Log-normal: 10 ms in the middle, from 0.2 ms to 0.6 s.
    const seconds = Array.from({ length: 5_000 }, (_, i) => 0.01 * Math.exp(1.2 * normal((i + 0.5) / 5_000)));
    for (const duration of seconds) metrics.endpoint('/').observe('GET', 200, duration);
    const gatherer = processGatherer('flask_app_', metrics, new Registry());
    const gather = async (format: Format) => (await gatherer.gather(format)).bytes;
    const log = createLog('error', process.stderr);
    const server = createServer(createMetricsListener({ gather, token: undefined, log }));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      const { port } = server.address() as AddressInfo; // a TCP server has no other
      prometheus = await Prometheus.start(CONFIG, `127.0.0.1:${port}`, '1s', { program, features });
      const native = 'flask_app_request_latency_seconds{endpoint="/"}';
      await eventually('a scrape', 30_000, async () => {
        const [series] = await prometheus.query(`histogram_count(${native})`);
        return series?.values[0]?.[1] === seconds.length;
      });
      for (const q of [0.001, 0.01, ...Array.from({ length: 19 }, (_, i) => (i + 1) / 20), 0.99, 0.999]) {
        const found = await prometheus.value(`histogram_quantile(${q}, ${native})`);
        const exact = seconds[Math.ceil(q * seconds.length) - 1] ?? NaN;
        expect({ q, within: Math.abs(found / exact - 1) <= 0.0906, found, exact }).toMatchObject({
          within: true,
        });
      }
    } finally {
      server.close();
    }
  }, 120_000);

  test('counts what nobody foresaw from its first request on where it takes start times', async () => {
    await start({ program, features });
    await scrapes(2);
    for (let i = 0; i < 7; i++) await service.get(`/nothing/${i}`);
    await scrapes(3);
    const counter = 'flask_app_request_count{endpoint="unmatched",http_status="404"}';
    const increase = await prometheus.value(`increase(${counter}[1m])`);
    expect([await prometheus.value(counter), increase > 6.9]).toEqual([7, features === STARTS]);
  }, 120_000);
});
