import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { pino } from 'pino';
import { createMetricsListener } from '../../../src/http/own-operations/metrics-route';
import type { Format } from '../../../src/metrics/exposition/gatherer';
import { request } from '../../support/exchange';
import { ServiceUnderTest, json } from '../service-under-test';

const EXPOSITION = '# TYPE a counter\na 1\n';
const TOKEN = 'a-token-that-nobody-guesses';
const log: Record<string, unknown>[] = [];
const gather = () => Promise.resolve(Buffer.from(EXPOSITION));
const failing = () => Promise.reject(new Error('no primary'));

interface Scraped {
  /** Starts what is scraped and returns its port. */
  start(gather: (format: Format) => Promise<Buffer>, token?: string): Promise<number>;
  stop(): Promise<unknown>;
}

let service: ServiceUnderTest;
const onServicePort: Scraped = {
  async start(gatherHere, token = '') {
    service = await ServiceUnderTest.start({ gather: gatherHere, env: { METRICS_TOKEN: token } });
    return service.port;
  },
  stop: () => ServiceUnderTest.closeAll(),
};

let server: Server;
const onOwnPort: Scraped = {
  async start(gatherHere, token) {
    const logger = pino(
      {},
      { write: (line: string) => log.push(JSON.parse(line) as Record<string, unknown>) },
    );
    server = createServer(createMetricsListener({ gather: gatherHere, token, log: logger }));
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return (server.address() as AddressInfo).port; // a TCP server has no other
  },
  stop: () => new Promise((resolve) => server.close(resolve)),
};

const status = async (port: number, authorization?: string) =>
  (
    await request(port, '/metrics', {
      headers: authorization === undefined ? {} : { Authorization: authorization },
    })
  ).status;

describe.each([
  ['on the port of the service', onServicePort],
  ['on a port of its own', onOwnPort],
])('/metrics %s', (_, scraped) => {
  afterEach(() => scraped.stop());

  test('is what was gathered, in the text format', async () => {
    const answer = await request(await scraped.start(gather), '/metrics?a=b');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(answer.headers.get('content-length')).toBe(String(EXPOSITION.length));
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.body.toString()).toBe(EXPOSITION);
  });

  test('is in the format that Accept prefers, and says that it looked at it', async () => {
    const port = await scraped.start((format) => Promise.resolve(Buffer.from(format)));
    const accept =
      'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,*/*;q=0.1';
    const answer = await request(port, '/metrics', { headers: { Accept: accept } });
    expect(answer.headers.get('content-type')).toBe(
      'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited',
    );
    expect(answer.headers.get('vary')).toBe('Accept, Accept-Encoding');
    expect(answer.body.toString()).toBe('protobuf');
    expect((await request(port, '/metrics', { headers: { Accept: '*/*' } })).body.toString()).toBe('text');
    expect((await request(port, '/metrics')).body.toString()).toBe('text');
  });

  test('is compressed where that is accepted and worth it', async () => {
    let exposition = Buffer.from('x'.repeat(1024));
    const port = await scraped.start(() => Promise.resolve(exposition));
    const gzip = { headers: { 'Accept-Encoding': 'deflate, gzip;q=0.5' } };
    const answer = await request(port, '/metrics', gzip);
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect(answer.headers.get('vary')).toBe('Accept, Accept-Encoding');
    expect(answer.headers.get('content-length')).toBe(String(answer.body.length));
    expect(gunzipSync(answer.body).equals(exposition)).toBe(true);
    const plain = await request(port, '/metrics');
    expect(plain.headers.get('content-encoding')).toBeUndefined();
    expect(plain.body.equals(exposition)).toBe(true);
    exposition = exposition.subarray(1);
    expect((await request(port, '/metrics', gzip)).headers.get('content-encoding')).toBeUndefined();
  });

  test('is there in the absolute form too', async () => {
    const port = await scraped.start(gather);
    expect((await request(port, 'http://elsewhere/metrics?a=b')).status).toBe(200);
    expect((await request(port, 'http://a:99999/metrics')).status).toBe(400);
  });

  test('has GET and HEAD', async () => {
    const port = await scraped.start(gather);
    expect((await request(port, '/metrics', { method: 'HEAD' })).headers.get('content-length')).toBe(
      String(EXPOSITION.length),
    );
    const refused = await request(port, '/metrics', { method: 'POST' });
    expect(refused.status).toBe(405);
    expect(refused.headers.get('allow')).toMatch(/^GET, HEAD/);
  });

  test('is a 503 when it can not be gathered', async () => {
    const answer = await request(await scraped.start(failing), '/metrics');
    expect(answer.status).toBe(503);
    expect(json(answer)).toMatchObject({
      title: 'Service Unavailable',
      detail: 'The metrics could not be gathered.',
    });
    expect(answer.body.toString()).not.toContain('primary');
    expect(JSON.stringify([log, service.log])).toContain('no primary');
  });

  test('wants the token where one is set', async () => {
    const port = await scraped.start(gather, TOKEN);
    const answer = await request(port, '/metrics');
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="metrics"');
    for (const wrong of [
      '',
      'Bearer',
      'Bearer ',
      `Basic ${TOKEN}`,
      TOKEN,
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
    ]) {
      expect([wrong, await status(port, wrong)]).toEqual([wrong, 401]);
    }
    for (const right of [`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `Bearer  ${TOKEN}`]) {
      expect([right, await status(port, right)]).toEqual([right, 200]);
    }
  });

  test('is at this path only', async () => {
    const port = await scraped.start(gather);
    expect((await request(port, '/metrics/')).status).toBe(404);
    expect((await request(port, '/metricsx')).status).toBe(404);
  });
});

afterAll(() => ServiceUnderTest.closeAll());

test('is not on the port of the service when it has one of its own', async () => {
  service = await ServiceUnderTest.start({ env: { METRICS_PORT: '1' } });
  expect((await service.request('/metrics')).status).toBe(404);
  expect(service.counted).toEqual([['unmatched', 404]]);
});

test('a scrape is not in progress', async () => {
  let inProgress = -1;
  service = await ServiceUnderTest.start({
    gather: () => {
      inProgress = service.metrics.inProgress;
      return gather();
    },
  });
  await service.request('/metrics');
  expect(inProgress).toBe(0);
});
