import { createServer, type RequestListener } from 'node:http';
import { Router } from '@koa/router';
import Koa from 'koa';
import pino, { type Logger } from 'pino';
import { readConfig } from '../../src/config';
import { type ServeOptions, startApp } from '../../src/foreign/start-app';
import { STATUS_PATHS } from '../../src/http/own-operations/status-page';
import { RequestMetrics } from '../../src/metrics/request-metrics';
import { Server } from '../../src/server/http-server';
import { rawExchange, request } from '../support/exchange';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** Serves an app as `serve` does, in this process. */
async function start(
  app: Parameters<typeof startApp>[0],
  env: Record<string, string>,
  accepting: () => boolean = () => true,
  options: ServeOptions<unknown> = { endpoint: (req) => req.url, start: () => 'made by start' },
) {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>);
  const config = readConfig(env);
  const metrics = new RequestMetrics([1]);
  const started = await startApp(app, options, {
    config,
    log: pino({}, { write: (line) => void write(line) }),
    metrics,
    gather: () => Promise.resolve(Buffer.alloc(0)),
    workers: () => Promise.resolve(Buffer.from('[]')),
    accepting,
  });
  const server = new Server(started.listener, metrics, config);
  const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
  ends.push(() => server.drain({ timeoutMs: 0, graceMs: 0 }));
  return {
    port,
    started,
    get: (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init),
    lines,
    metrics,
  };
}

const listener: RequestListener = (_req, res) => res.end('served');

function busy(): void {
  const until = performance.now() + 20;
  while (performance.now() < until);
}

test('an app without a description is shed under overload, and its probes are answered', async () => {
  const { port, get, metrics } = await start(
    (_req, res) => {
      busy();
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

test('health checks of the app itself are answered under overload, too', async () => {
  const router = new Router();
  for (const path of ['/livez', '/readyz']) router.get(path, (ctx) => (ctx.body = 'of the app'));
  router.get('/', (ctx) => (busy(), (ctx.body = 'done')));
  const { port, metrics } = await start(new Koa().use(router.routes()), { MAX_EVENT_LOOP_DELAY_MS: '100' });
  const targets = Array.from({ length: 50 }, () => ['/', '/livez', '/readyz']).flat();
  const requests = targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`).join('');
  const { answers } = await rawExchange(port, requests, { answers: targets.length, deadlineMs: 30_000 });
  const statuses = (isProbe: boolean) =>
    new Set(
      answers.filter((_answer, index) => (targets[index] !== '/') === isProbe).map((one) => one.status),
    );
  expect([statuses(true), statuses(false)]).toEqual([new Set([200]), new Set([200, 503])]);
  expect(metrics.shed).toBeGreaterThan(0);
});

test.each<[string, unknown]>([
  ['a module', { default: listener }],
  ['a compiled module', { default: { default: () => listener } }],
  ['a maker of a module', async () => Promise.resolve({ default: listener })],
])('the app that %s has as its default is served', async (_name, source) => {
  const { get } = await start(source as () => RequestListener, {}); // a module has no type of its own
  expect(await (await get('/')).text()).toBe('served');
});

test('a promise of an app is served', async () => {
  const { get } = await start(Promise.resolve({ default: listener }) as never, {}); // as a module exports it
  expect(await (await get('/')).text()).toBe('served');
});

test.each<[unknown, string]>([
  [undefined, 'undefined'],
  [Promise.resolve(), 'undefined'],
  [() => null, 'null'],
  [5, '5'],
  [createServer(), 'a server: give the app itself, which must not listen'],
  [Koa, 'the class Application: give an object of it'],
  [new Router(), 'of the class RouterImplementation'],
  [{ default: {} }, 'an empty object: export the app'],
  [{ app: listener, port: 1 }, 'an object with "app", "port"'],
])('what is no app is refused, and named (%#)', async (source, name) => {
  await expect(start(source as never, {})).rejects.toThrow(`or a function that makes one; it is ${name}.`);
});

test('the callback of a Koa app is served, and a line says how its requests get labels', async () => {
  const hint = { msg: 'Requests are "unmatched": give the Koa app itself in place of its callback()' };
  const app = new Koa().use((ctx) => (ctx.body = 'served'));
  const { get, lines } = await start(app.callback(), {}, undefined, {});
  expect(await (await get('/')).text()).toBe('served');
  expect(lines).toMatchObject([hint]);
  for (const other of [app, listener]) expect((await start(other, {}, undefined, {})).lines).toEqual([]);
  expect((await start(app.callback(), {})).lines).toEqual([]);
});

test.each<[string, object, string]>([
  [
    'is unknown',
    { stops: () => {} },
    'The second argument of serve has a field "stops"; it can have endpoint',
  ],
  ['has another type', { ready: () => {} }, '"ready" of the second argument of serve must be a object'],
  ['is no function', { endpoint: '/x' }, '"endpoint" of the second argument of serve must be a function'],
])('an option that %s is refused', async (_name, options, message) => {
  await expect(start(listener, {}, undefined, options)).rejects.toThrow(message);
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

/** A Koa app with these routes, which answer with its name. */
function routed(...paths: string[]) {
  const router = new Router();
  for (const path of paths) router.get(path, (ctx) => (ctx.body = 'of the app'));
  return new Koa().use(router.routes());
}

test.each<[string, string[], Record<string, boolean>]>([
  ['a path for which the app has a route', ['/metrics'], { '/metrics': true, '/status': false }],
  ['a route below the status page', ['/status/:id'], { '/status/42': true, '/status/status.js': false }],
  ['a file of the status page', ['/status/status.js'], { '/status/status.js': true, '/status': false }],
  ['all of the status page', ['/status', '/status/:id'], { '/status': true, '/status/status.js': true }],
])('%s can be the app’s', async (_name, routes, answers) => {
  const { get } = await start(routed(...routes), {});
  for (const [path, isOfApp] of Object.entries(answers)) {
    const answer = await get(path);
    expect([path, answer.status, (await answer.text()) === 'of the app']).toEqual([path, 200, isOfApp]);
  }
});

test('every file of the status page is the service’s', async () => {
  const { get } = await start(routed('/status/:id'), {});
  const page = await (await get('/status')).text();
  const files = [...page.matchAll(/(?:href|src)="(status\/[^"]+)"/g)].map(([, file]) => `/${file}`);
  expect(files.length).toBeGreaterThan(0);
  for (const path of [...files, ...STATUS_PATHS]) {
    const answer = await get(path);
    expect([path, answer.status, await answer.text()]).toEqual([
      path,
      200,
      expect.not.stringMatching(/^of the app$/),
    ]);
  }
});

test.each(['ftp://a/metrics', 'http://[a/metrics', 'http://a:b/metrics', '*metrics'])(
  'the app answers the target %s, which is not valid, like any other that is not the service’s',
  async (target) => {
    const { port } = await start(listener, {});
    const answer = await request(port, target);
    expect([answer.status, answer.body.toString()]).toEqual([200, 'served']);
  },
);

test('a process that drains is not ready, whatever the readyz of the app says', async () => {
  let accepting = true;
  const { get, metrics } = await start(routed('/readyz', '/livez'), {}, () => accepting);
  expect(await (await get('/readyz')).text()).toBe('of the app');
  accepting = false;
  const draining = await get('/readyz');
  expect([draining.status, await draining.json()]).toEqual([503, { status: 'draining' }]);
  expect(await (await get('/livez')).text()).toBe('of the app');
  const counted = metrics.rows.map(({ labels }) => `${labels.endpoint} ${labels.status}`);
  expect(counted.toSorted()).toEqual(['/livez 200', '/readyz 200', '/readyz 503']);
});

/** The fields of these names in a context of an app, as a request finds them. */
async function fieldsOf(app: Koa, names: readonly string[]) {
  let fields: unknown[] = [];
  app.use((ctx) => {
    fields = names.map((name) => ctx[name] as unknown);
    ctx.body = 'ok';
  });
  const running = await start(app, {});
  expect((await running.get('/')).status).toBe(200);
  return { ...running, fields };
}

test('a Koa app has the resources and the signal of the drain in its contexts', async () => {
  const { started, fields } = await fieldsOf(new Koa(), ['resources', 'draining']);
  expect(fields).toEqual(['made by start', expect.any(AbortSignal)]);
  const [, draining] = fields as [unknown, AbortSignal]; // as the line before has it
  expect(draining.aborted).toBe(false);
  await started.stop(1_000);
  expect(draining.aborted).toBe(true);
});

test.each(['log', 'resources', 'draining'])('a Koa app keeps a ctx.%s of its own', async (name) => {
  const app = new Koa();
  app.context[name] = 'of the app';
  expect((await fieldsOf(app, [name])).fields).toEqual(['of the app']);
});

test('a middleware of a Koa app may set ctx.log', async () => {
  const app = new Koa();
  app.use((ctx, next) => ((ctx['log'] = 'of the middleware'), next()));
  expect((await fieldsOf(app, ['log'])).fields).toEqual(['of the middleware']);
});

test('a Koa app may read and set its context’s log after it is served', async () => {
  const app = new Koa();
  app.use((ctx) => (ctx.body = String(ctx['log'])));
  const { get } = await start(app, {});
  expect(app.context['log']).toHaveProperty('info');
  app.context['log'] = 'of the app';
  expect(await (await get('/')).text()).toBe('of the app');
});

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const TRACED = { headers: { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` } };

test.each<[string, Parameters<typeof startApp>[0]]>([
  ['a Koa app', new Koa().use(() => Promise.reject(new Error('boom')))],
  ['a request listener', (_req, _res) => Promise.reject(new Error('boom'))],
])('the error of %s is in the log under the ids of its access log line', async (_name, app) => {
  const { get, lines } = await start(app, {});
  expect((await get('/', TRACED)).status).toBe(500);
  const [failure, access] = lines;
  expect(failure).toMatchObject({ msg: 'A request failed', err: { message: 'boom' }, trace_id: TRACE });
  expect(access).toMatchObject({ msg: 'Request answered', status: 500, trace_id: TRACE });
  expect(failure?.['span_id']).toBe(access?.['span_id']);
});

test('the lines of ctx.log have the ids of the access log line', async () => {
  const app = new Koa();
  app.use((ctx) => {
    (ctx['log'] as Logger).info('here'); // the service gives it
    ctx.body = 'ok';
  });
  const { get, lines } = await start(app, { ACCESS_LOG: 'on' });
  await get('/', TRACED);
  const [line, access] = lines;
  expect(line).toMatchObject({ msg: 'here', trace_id: TRACE, span_id: access?.['span_id'] });
});

/** Returns the endpoints of an app's own zeros. */
async function zerosOf(
  app: Parameters<typeof start>[0],
  env: Record<string, string>,
  options: ServeOptions<unknown>,
) {
  const { metrics } = await start(app, env, () => true, options);
  return metrics.foreseen.map(({ endpoint }) => endpoint).filter((path) => path.startsWith('/of-the-app'));
}

test('the routes of the app are at 0 unless it tells the labels itself', async () => {
  const router = new Router();
  router.get('/of-the-app/:id', (ctx) => (ctx.body = 'one'));
  const app = new Koa().use(router.routes());
  expect(await zerosOf(app, {}, {})).toEqual(['/of-the-app/:id']);
  expect(await zerosOf(app, {}, { endpoint: () => '/other' })).toEqual([]);
  expect(await zerosOf(app, { METRICS_ZEROS: 'off' }, {})).toEqual([]);
});
