import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Router } from '@koa/router';
import Koa from 'koa';
import pino from 'pino';
import { readConfig } from '../../src/config';
import { EndpointLabels } from '../../src/foreign/endpoint-labels';
import type { ForeignApp } from '../../src/foreign/foreign-app';
import { listenerOf } from '../../src/foreign/listener';
import { RequestMetrics } from '../../src/metrics/request-metrics';
import { Server } from '../../src/server/http-server';
import { eventually } from '../support/eventually';
import { rawExchange } from '../support/exchange';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** Serves an app as `serve` does, in this process. */
async function served(app: ForeignApp) {
  const metrics = new RequestMetrics([1]);
  const labels = new EndpointLabels({ metrics, max: 10, onOverflow: () => {}, onError: () => {} });
  const lines: string[] = [];
  const log = pino({ level: 'error' }, { write: (line) => void lines.push(line) });
  const listener = listenerOf(app, { labels, log });
  const server = new Server(listener, metrics, readConfig({}));
  const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
  ends.push(() => server.drain({ timeoutMs: 0, graceMs: 0 }));
  const counts = () =>
    metrics.rows.map(({ labels: { status }, cells }) => [status, (cells[0] ?? 0) + (cells[1] ?? 0)]);
  const endpoints = () => metrics.rows.map(({ labels: { endpoint } }) => endpoint);
  return { port, counts, endpoints, lines };
}

/** An app that fails. */
function failing(app: Koa): Koa {
  return app.use(() => {
    throw new Error('no');
  });
}

test('an app that reports its errors by a method of its own does so, and one that is silent does not', async () => {
  const reported: string[] = [];
  class Reporting extends Koa {
    override onerror(err: Error): void {
      reported.push(err.message);
    }
  }
  const silent = failing(new Koa());
  silent.silent = true;
  const logged: number[] = [];
  for (const app of [failing(new Reporting()), silent, failing(new Koa())]) {
    const { port, lines } = await served(app);
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(500);
    logged.push(lines.length);
  }
  expect({ reported, logged }).toEqual({ reported: ['no'], logged: [0, 0, 1] });
});

/** What JavaScript may do, and the types forbid. */
type Loose = Omit<ServerResponse, 'statusCode' | 'end' | 'write'> & {
  statusCode: unknown;
  end(chunk?: unknown): void;
  write(chunk: unknown): void;
};

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

test.each<[string, (res: Loose) => void, number]>([
  ['ends with a number', (res) => res.end(5), 500],
  ['ends with an object, whatever the status', (res) => ((res.statusCode = 404), res.end({ a: 1 })), 500],
  ['writes an object', (res) => res.write({ a: 1 }), 500],
  ['writes null', (res) => res.write(null), 500],
  ['ends with a status that there is not', (res) => ((res.statusCode = 1000), res.end('x')), 500],
  ['writes with a status that there is not', (res) => ((res.statusCode = 99), res.write('x')), 500],
  ['has a status message of other letters', (res) => ((res.statusMessage = '€'), res.end('x')), 500],
  ['has a status in text', (res) => ((res.statusCode = '404'), res.end()), 404],
  ['ends without anything', (res) => res.end(null), 200],
])('an app that %s is counted with the status that its client sees', async (_name, answer, status) => {
  const { port, counts } = await served((_req, res) => answer(res));
  const { answers, malformed } = await rawExchange(port, GET.repeat(2), { answers: 2 });
  expect([answers.map((one) => one.status), malformed]).toEqual([[status, status], undefined]);
  expect(counts()).toEqual([[status, 2]]);
});

test('a 500 has nothing of the answer that failed', async () => {
  const { port } = await served((_req, res) => {
    res.setHeader('Content-Length', '5000');
    res.setHeader('Content-Encoding', 'gzip');
    throw new Error('no');
  });
  const { answers } = await rawExchange(port, GET, { answers: 1 });
  expect(String(answers[0]?.body)).toBe('Internal Server Error');
  expect(answers[0]?.headers).not.toHaveProperty('content-encoding');
});

const LARGE = 'x'.repeat(5_000_000);

test.each<[string, (res: ServerResponse) => void]>([
  ['in one piece', (res) => res.end(LARGE)],
  ['in parts', (res) => (res.write(LARGE), res.end())],
])('an error after the end of an answer %s does not cut it off', async (_name, answer) => {
  const { port, counts } = await served((_req: IncomingMessage, res: ServerResponse): unknown => {
    answer(res);
    return Promise.reject(new Error('too late'));
  });
  const { answers, malformed } = await rawExchange(port, GET, { answers: 1 });
  expect([malformed, answers[0]?.body.length]).toEqual([undefined, LARGE.length]);
  expect(counts()).toEqual([[200, 1]]);
});

test('an answer that fails half-way is cut off, and counted with the status that its client has seen', async () => {
  const { port, counts } = await served((_req, res) => {
    res.write('half of it');
    throw new Error('no');
  });
  const { text, malformed, closedAfterMs } = await rawExchange(port, GET);
  expect([text.slice(0, 15), text.includes('half of it')]).toEqual(['HTTP/1.1 200 OK', true]);
  expect([malformed, closedAfterMs]).not.toContain(undefined);
  expect(counts()).toEqual([[200, 1]]);
});

test.each<[string, (res: ServerResponse) => void]>([
  ['of an answer in parts', (res) => res.write('part')],
  ['of an answer whose header is made', (res) => res.writeHead(200)],
])('a status that is set after the header %s is not counted', async (_name, begin) => {
  const app: RequestListener = (_req, res) => {
    begin(res);
    res.statusCode = 500;
    res.end();
  };
  const { port, counts } = await served(app);
  // The second answer waits for the first.
  const { answers } = await rawExchange(port, GET.repeat(2), { answers: 2 });
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  expect(counts()).toEqual([[200, 2]]);
});

test('a stream whose socket the app destroys keeps the status that was sent', async () => {
  const { port, counts } = await served((req, res) => res.write('part', () => req.socket.destroy()));
  await rawExchange(port, GET);
  await eventually('it is counted', 5_000, () => counts().length === 1);
  expect(counts()).toEqual([[200, 1]]);
});

test('a header that comes twice is to an app what Node itself makes of it', async () => {
  const fields = ['Authorization: a', 'Authorization: b', 'Cookie: a=1', 'Cookie: b=2', 'X-A: 1', 'X-A: 2'];
  const seen: unknown[] = [];
  const app: RequestListener = (req, res) => (seen.push(req.headers), res.end());
  const plain = createServer(app).listen(0, '127.0.0.1');
  ends.push(() => plain.close());
  await new Promise((resolve) => plain.once('listening', resolve));
  const { port } = await served(app);
  const request = ['GET / HTTP/1.1', 'Host: a', ...fields, 'Connection: close', '', ''].join('\r\n');
  for (const each of [port, (plain.address() as AddressInfo).port])
    await rawExchange(each, request, { answers: 1 });
  expect(seen[0]).toMatchObject({ authorization: 'a', cookie: 'a=1; b=2', 'x-a': '1, 2' });
  expect(seen[0]).toEqual(seen[1]);
});

test('a Koa app may have a server of its own beside, whose requests are not counted', async () => {
  const app = new Koa();
  app.use((ctx) => (ctx.body = 'here'));
  const { port, counts } = await served(app);
  const handle = app.callback();
  const other = createServer((req, res) => void handle(req, res)).listen(0, '127.0.0.1');
  ends.push(() => other.close());
  await new Promise((resolve) => other.once('listening', resolve));
  const { port: otherPort } = other.address() as AddressInfo;
  for (const each of [port, otherPort]) expect((await fetch(`http://127.0.0.1:${each}/`)).status).toBe(200);
  expect(counts()).toEqual([[200, 1]]);
});

test('a route of Express keeps the mount of its router when an error leaves it', async () => {
  const { port, endpoints } = await served((req, res) => {
    // Does what Express' routers do.
    Object.assign(req, { baseUrl: '/users' });
    Object.assign(req, { route: { path: '/:id' } });
    Object.assign(req, { baseUrl: '' });
    res.writeHead(500).end();
  });
  await rawExchange(port, GET, { answers: 1 });
  expect(endpoints()).toEqual(['/users/:id']);
});

test('a router of a Koa app has the prefix of its mount', async () => {
  const router = new Router();
  router.get('/users/:id', (ctx) => void (ctx.body = 'one'));
  const app = new Koa();
  app.use((ctx, next) => {
    ctx['mountPath'] = '/v1';
    ctx.path = ctx.path.slice(3);
    return next();
  });
  const { port, endpoints } = await served(app.use(router.routes()));
  await rawExchange(port, GET.replace('/', '/v1/users/1'), { answers: 1 });
  expect(endpoints()).toEqual(['/v1/users/:id']);
});
