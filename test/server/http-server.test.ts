import { type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import net from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import Koa from 'koa';
import { readConfig } from '../../src/config';
import { Server } from '../../src/server/http-server';
import { measuring } from '../../src/http/measure';
import { RequestMetrics } from '../../src/metrics/request-metrics';
import { eventually } from '../support/eventually';
import { type ExchangeOptions, rawExchange } from '../support/exchange';

let metrics: RequestMetrics;
let server: Server;
let port: number;
/** Whether the listener gives each response another prototype, as Express does. */
let replacePrototype = false;
const otherPrototype = Object.create(ServerResponse.prototype) as object;

beforeEach(async () => {
  metrics = new RequestMetrics([0.005, 0.1, 1]);
  const app = new Koa();
  app.silent = true;
  const measure = measuring(metrics);
  app.use((ctx, next) => {
    measure(ctx);
    return next();
  });
  app.use(answer);
  const listener = app.callback();
  server = new Server(
    (req, res) => {
      if (replacePrototype) Object.setPrototypeOf(res, otherPrototype);
      void listener(req, res);
    },
    metrics,
    readConfig({}),
  );
  ({ port } = await server.listen({ port: 0, host: '127.0.0.1' }));
});

afterEach(() => server.drain({ timeoutMs: 0, graceMs: 0 }));

const answer: Koa.Middleware = async (ctx) => {
  switch (ctx.path) {
    case '/slow':
      await delay(100);
      ctx.body = 'late';
      return;
    case '/never':
      await new Promise(() => {});
      return;
    case '/stream':
      ctx.body = parts(3);
      return;
    case '/sized-stream':
      ctx.length = 30;
      ctx.body = parts(3);
      return;
    case '/failing-stream':
      ctx.body = Readable.from(failing());
      return;
    case '/endless-stream':
      ctx.body = Readable.from(endless());
      return;
    case '/upload':
      for await (const _ of ctx.req);
      ctx.body = 'taken';
      return;
    default:
      ctx.body = { message: 'here' };
  }
};

function parts(count: number): PassThrough {
  const stream = new PassThrough();
  void (async () => {
    for (let i = 0; i < count; i++) {
      stream.write('ten bytes.');
      await delay(10);
    }
    stream.end();
  })();
  return stream;
}

async function* failing(): AsyncGenerator<string> {
  yield 'ten bytes.';
  await delay(20);
  throw new Error('out of data');
}

function* endless(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(65_536);
}

/** The counts so far, as `METHOD endpoint status`: number. */
function counts(): Record<string, number> {
  return Object.fromEntries(
    metrics.rows.map(({ labels, cells }) => [
      `${labels.method} ${labels.endpoint} ${labels.status}`,
      cells.subarray(0, -1).reduce((sum, count) => sum + count, 0),
    ]),
  );
}

const head = (line: string, ...fields: string[]) => [line, 'Host: localhost', ...fields, '', ''].join('\r\n');
const get = (path: string, ...fields: string[]) => head(`GET ${path} HTTP/1.1`, ...fields);
const post = (...fields: string[]) => head('POST /upload HTTP/1.1', ...fields);
const last = 'Connection: close';

describe('every answer is counted once, with the status that the client was sent', () => {
  test.each<[name: string, bytes: string, statuses: number[], counted: Record<string, number>]>([
    ['a buffered body', get('/', last), [200], { 'GET unmatched 200': 1 }],
    ['a stream', get('/stream', last), [200], { 'GET unmatched 200': 1 }],
    ['a stream of known length', get('/sized-stream', last), [200], { 'GET unmatched 200': 1 }],
    [
      'pipelined requests',
      get('/slow') + get('/stream') + get('/', last),
      [200, 200, 200],
      { 'GET unmatched 200': 3 },
    ],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', [400], { 'GET malformed 400': 1 }],
    ['two Hosts', get('/', 'Host: other'), [400], { 'GET malformed 400': 1 }],
    ['an invalid Host', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', [400], { 'GET malformed 400': 1 }],
    ['no HTTP', 'HELLO\r\n\r\n', [400], { 'OTHER malformed 400': 1 }],
    ['an unknown method', head('FOO / HTTP/1.1'), [501], { 'OTHER malformed 501': 1 }],
    ['HTTP/0.9', 'GET /\r\n\r\n', [505], { 'GET malformed 505': 1 }],
    ['HTTP/2 with prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [505], { 'OTHER malformed 505': 1 }],
    ['HTTP/3.0', head('GET / HTTP/3.0'), [505], { 'OTHER malformed 505': 1 }],
    ['an unknown expectation', get('/', 'Expect: more', last), [417], { 'GET malformed 417': 1 }],
    ['CONNECT', head('CONNECT other:80 HTTP/1.1'), [501], { 'CONNECT malformed 501': 1 }],
    ['a header of 17 KB', get('/', `X: ${'x'.repeat(17_000)}`), [431], { 'OTHER malformed 431': 1 }],
    ['101 header fields', get('/', ...Array<string>(100).fill('X: x')), [431], { 'GET malformed 431': 1 }],
    ['obs-fold', get('/', 'X: x\r\n y'), [400], { 'OTHER malformed 400': 1 }],
    ['bare line feeds', 'GET / HTTP/1.1\nHost: localhost\n\n', [400], { 'OTHER malformed 400': 1 }],
    [
      'two lengths',
      `${post('Content-Length: 1', 'Content-Length: 2')}ab`,
      [400],
      { 'OTHER malformed 400': 1 },
    ],
    [
      'length and coding',
      `${post('Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
      [400],
      { 'OTHER malformed 400': 1 },
    ],
    [
      'an unknown coding',
      `${post('Transfer-Encoding: gzip, chunked')}0\r\n\r\n`,
      [501],
      { 'POST malformed 501': 1 },
    ],
    ['a coding that has no end', `${post('Transfer-Encoding: gzip')}ab`, [501], { 'POST malformed 501': 1 }],
    ['a broken chunk', `${post('Transfer-Encoding: chunked')}zz\r\n`, [400], { 'POST malformed 400': 1 }],
    [
      'HTTP/1.0 with a coding',
      `${head('POST /upload HTTP/1.0', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
      [400],
      { 'POST malformed 400': 1 },
    ],
    [
      'no HTTP behind a request',
      `${get('/slow')}HELLO\r\n\r\n`,
      [200, 400],
      { 'GET unmatched 200': 1, 'OTHER malformed 400': 1 },
    ],
    [
      'no HTTP behind a last request',
      `${get('/slow', last)}HELLO\r\n\r\n`,
      [200],
      { 'GET unmatched 200': 1 },
    ],
  ])('%s', async (_name, bytes, statuses, counted) => {
    const exchange = await rawExchange(port, bytes);
    expect(exchange.answers.map(({ status }) => status)).toEqual(statuses);
    expect(exchange.closedAfterMs).toBeDefined();
    expect(counts()).toEqual(counted);
    expect(metrics.inProgress).toBe(0);
  });

  test('100 header fields are served', async () => {
    const exchange = await rawExchange(port, get('/', last, ...Array<string>(98).fill('X: x')));
    expect(exchange.answers[0]?.status).toBe(200);
  });
});

describe('an answer whose prototype the app has replaced is counted as any other', () => {
  beforeEach(() => void (replacePrototype = true));
  afterEach(() => void (replacePrototype = false));

  test.each<[name: string, bytes: string, statuses: number[], counted: number[]]>([
    ['a buffered body', get('/', last), [200], [200]],
    ['a stream', get('/stream', last), [200], [200]],
    ['pipelined requests', get('/slow') + get('/stream') + get('/', last), [200, 200, 200], [200, 200, 200]],
    ['a stream that breaks off', get('/failing-stream'), [], [200]],
    ['a client that leaves', get('/never'), [], [499]],
    ['a client that leaves behind it', get('/never') + get('/'), [], [499, 499]],
  ])('%s', async (_name, bytes, statuses, counted) => {
    const exchange = await rawExchange(port, bytes, { deadlineMs: counted.includes(499) ? 100 : 5_000 });
    expect(exchange.answers.map(({ status }) => status)).toEqual(statuses);
    await eventually('all are counted', 5_000, () => metrics.inProgress === 0 && metrics.rows.length > 0);
    expect(counts()).toEqual({ [`GET unmatched ${counted[0]}`]: counted.length });
  });

  test('what is cut off by a stop', async () => {
    const exchange = rawExchange(port, get('/never'));
    await eventually('the request is there', 5_000, () => metrics.inProgress === 1);
    await server.drain({ timeoutMs: 0, graceMs: 0 });
    await exchange;
    expect(counts()).toEqual({ 'GET unmatched 503': 1 });
  });
});

test('refusals wait for the answers to the requests before them', async () => {
  const chunked = head('POST /upload HTTP/1.1', 'Transfer-Encoding: chunked');
  const faulty = await rawExchange(port, `${get('/slow')}${chunked}zz\r\n`);
  expect(faulty.answers.map(({ status }) => status)).toEqual([200, 400]);
  const connect = await rawExchange(port, `${get('/slow')}${head('CONNECT other:80 HTTP/1.1')}`);
  expect(connect.answers.map(({ status }) => status)).toEqual([200, 501]);
});

test('a request that is overtaken in the pipeline is not lost', async () => {
  const overtaken = rawExchange(port, get('/never') + get('/'), {
    parts: [{ afterMs: 50, bytes: get('/never') }],
    deadlineMs: 150,
  });
  await overtaken;
  await eventually('all are counted', 5_000, () => metrics.inProgress === 0 && metrics.rows.length === 1);
  // No byte of the answer that was ready has left.
  expect(counts()).toEqual({ 'GET unmatched 499': 3 });
});

test.each([
  ['headers', [{ 'content-length': 5 }]],
  ['a reason and headers', ['Fine', { 'content-length': 5 }]],
])('an answer with its length in writeHead is counted before its last byte: %s', async (_name, given) => {
  let counted: unknown;
  const own = new Server(
    (_req, res) => {
      const write = res.socket!.write.bind(res.socket);
      res.socket!.write = (...args: unknown[]) => {
        counted = counts();
        return Reflect.apply(write, undefined, args);
      };
      res.writeHead(200, ...(given as [OutgoingHttpHeaders]));
      res.write('whole');
    },
    metrics,
    readConfig({}),
  );
  const { port: ownPort } = await own.listen({ port: 0, host: '127.0.0.1' });
  await rawExchange(ownPort, get('/'), { answers: 1 });
  await own.drain({ timeoutMs: 0, graceMs: 0 });
  expect(counted).toEqual({ 'GET malformed 200': 1 });
});

test('a draining server sends all answers of a pipeline', async () => {
  const exchange = rawExchange(port, get('/slow') + get('/stream'));
  await eventually('both requests have arrived', 5_000, () => metrics.inProgress === 2);
  await server.drain({ timeoutMs: 5_000, graceMs: 100 });
  expect((await exchange).answers.map(({ status }) => status)).toEqual([200, 200]);
  expect(counts()).toEqual({ 'GET unmatched 200': 2 });
});

describe('a client that leaves is counted as 499', () => {
  test.each<[name: string, bytes: string, options: ExchangeOptions, counted: number]>([
    ['before the answer', get('/never'), {}, 1],
    ['with pipelined requests', get('/never').repeat(3), {}, 3],
    ['in a stream', get('/endless-stream'), {}, 1],
    ['in its upload', `${post('Content-Length: 20')}ab`, {}, 1],
    ['half-closed in its upload', `${post('Content-Length: 20')}ab`, { end: true }, 1],
  ])('%s', async (_name, bytes, options, counted) => {
    await rawExchange(port, bytes, { deadlineMs: 100, ...options });
    await eventually(
      'the requests are counted',
      5_000,
      () => metrics.inProgress === 0 && metrics.rows.length > 0,
    );
    const [[key, count] = []] = Object.entries(counts());
    expect(key).toMatch(/ unmatched 499$/);
    expect(count).toBe(counted);
  });
});

test('a stream that the service breaks off keeps the status that was sent', async () => {
  const exchange = await rawExchange(port, get('/failing-stream'));
  expect(exchange.malformed).toBeDefined();
  await eventually('it is counted', 5_000, () => metrics.inProgress === 0);
  expect(counts()).toEqual({ 'GET unmatched 200': 1 });
});

test('a draining server answers what is in flight, and ends idle connections after the grace', async () => {
  const idle = rawExchange(port, get('/'));
  const busy = rawExchange(port, get('/slow'));
  await eventually(
    'both requests have arrived',
    5_000,
    () => metrics.inProgress === 1 && counts()['GET unmatched 200'] === 1,
  );
  await server.drain({ timeoutMs: 5_000, graceMs: 200 });
  const { answers } = await busy;
  expect(answers[0]?.status).toBe(200);
  expect(answers[0]?.headers.get('connection')).toBe('close');
  expect((await idle).answers).toHaveLength(1);
  expect(counts()).toEqual({ 'GET unmatched 200': 2 });
});

test('a connection is idle when it has been used more than once, too', async () => {
  const socket = net.connect(port, '127.0.0.1').resume();
  for (const answered of [1, 2]) {
    socket.write(get('/'));
    await eventually('it is answered', 5_000, () => counts()['GET unmatched 200'] === answered);
  }
  // A connection that was taken for busy would keep the drain until its deadline.
  await expect(server.drain({ timeoutMs: 60_000, graceMs: 0 })).resolves.toBeUndefined();
});

test('a drain ends at its deadline, and counts as 503 what got no answer', async () => {
  const stuck = rawExchange(port, get('/never'));
  await eventually('the request has arrived', 5_000, () => metrics.inProgress === 1);
  await server.drain({ timeoutMs: 50, graceMs: 0 });
  expect((await stuck).answers).toHaveLength(0);
  expect(counts()).toEqual({ 'GET unmatched 503': 1 });
  expect(metrics.inProgress).toBe(0);
});

test('a port in use rejects with its cause', async () => {
  const other = new Server(() => {}, metrics, readConfig({}));
  await expect(other.listen({ port, host: '127.0.0.1' })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
