import { Router } from '@koa/router';
import Koa from 'koa';
import pino from 'pino';
import { readConfig } from '../../src/config';
import { startApp } from '../../src/foreign/start-app';
import { RequestMetrics } from '../../src/metrics/request-metrics';
import { Server } from '../../src/server/http-server';
import { rawExchange } from '../support/exchange';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** Serves a request listener as \`serve\` does, in this process. */
async function start(listener: Parameters<typeof startApp>[0], env: Record<string, string>) {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>);
  const config = readConfig(env);
  const metrics = new RequestMetrics([1]);
  const started = await startApp(
    listener,
    { endpoint: (req) => req.url },
    {
      config,
      log: pino({}, { write: (line) => void write(line) }),
      metrics,
      gather: () => Promise.resolve(Buffer.alloc(0)),
      workers: () => Promise.resolve(Buffer.from('[]')),
      accepting: () => true,
    },
  );
  const server = new Server(started.listener, metrics, config);
  const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
  ends.push(() => server.drain({ timeoutMs: 0, graceMs: 0 }));
  return { port, get: (path: string) => fetch(`http://127.0.0.1:${port}${path}`), lines, metrics };
}

test('an app without a description is shed under overload, and its probes are answered', async () => {
  const { port, get, metrics } = await start(
    (_req, res) => {
      const until = performance.now() + 20;
      while (performance.now() < until);
      res.end('done');
    },
    { MAX_EVENT_LOOP_DELAY_MS: '100' },
  );
  // All requests of one packet come in one turn of the event loop.
  const requests = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(100);
  const [probe, { answers }] = await Promise.all([
    get('/livez'),
    rawExchange(port, requests, { answers: 100, deadlineMs: 30_000 }),
  ]);
  const refused = answers.filter(({ status }) => status === 503);
  expect(probe.status).toBe(200);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 503]));
  expect(refused[0]?.headers.get('retry-after')).toBe('1');
  expect(metrics.shed).toBe(refused.length);
});

test('its answers are in the access log, with their endpoints', async () => {
  const { get, lines } = await start((_req, res) => res.writeHead(503).end(), { ACCESS_LOG: 'errors' });
  await get('/thing');
  expect(lines).toMatchObject([{ msg: 'Request answered', method: 'GET', endpoint: '/thing', status: 503 }]);
  expect(lines[0]).not.toHaveProperty('requestId');
});

test.each<[string, Record<string, string>, Record<string, string>]>([
  ['by the service', {}, { '/status': 'text/html', '/status/workers.json': 'application/json' }],
  [
    'by the app where it is off',
    { STATUS_PAGE: 'off' },
    { '/status': 'text/plain', '/status/workers.json': 'text/plain' },
  ],
  [
    'by the app where it is elsewhere',
    { METRICS_PORT: '1' },
    { '/status': 'text/plain', '/metrics': 'text/plain' },
  ],
])('the status page is answered %s', async (_name, env, types) => {
  const { get } = await start(
    (_req, res) => res.writeHead(200, { 'Content-Type': 'text/plain' }).end('of the app'),
    env,
  );
  for (const [path, type] of Object.entries(types)) {
    const answer = await get(path);
    expect([path, answer.status]).toEqual([path, 200]);
    expect(answer.headers.get('content-type')).toContain(type);
  }
});

test('a path for which the app has a route is the app’s', async () => {
  const router = new Router();
  router.get('/status', (ctx) => (ctx.body = 'of the app'));
  const { get } = await start(new Koa().use(router.routes()), {});
  expect(await (await get('/status')).text()).toBe('of the app');
});
