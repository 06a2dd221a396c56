import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { connect, type Socket } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { readConfig } from '../../src/config';
import { RequestMetrics } from '../../src/metrics/request-metrics';
import { Server } from '../../src/server/http-server';
import { eventually } from '../support/eventually';
import { rawExchange } from '../support/exchange';

// Clients that do not close their side are waited for.
jest.setTimeout(30_000);

const MB = 1024 * 1024;
const head = (line: string, ...fields: string[]): string =>
  [line, 'Host: x', ...fields].map((field) => `${field}\r\n`).join('') + '\r\n';
const waiting = (path: string): string =>
  head(`POST ${path} HTTP/1.1`, 'Content-Length: 5', 'Expect: 100-continue', 'Connection: close');
const get = (path: string): string => head(`GET ${path} HTTP/1.1`);

let metrics: RequestMetrics;
let server: Server;
let port: number;
/** The streams that answers were to be sent from. */
let streams: Readable[];

const answers: Readonly<Record<string, RequestListener>> = {
  '/late': (_req, res) => void setTimeout(() => res.end('late'), 100),
  '/never': () => {},
  '/stream': (_req, res) => {
    const stream = new PassThrough();
    stream.write(Buffer.alloc(MB));
    streams.push(stream);
    // Koa sends a stream in this way.
    stream.on('error', () => {}).pipe(res);
    res.on('close', () => stream.destroy());
  },
  '/large': (_req, res) => res.end(Buffer.alloc(4 * MB, 'x')),
  '/large-stream': (_req, res) => {
    const parts = Array.from({ length: 64 }, () => Buffer.alloc(MB / 16, 'x'));
    Readable.from(parts).pipe(res);
  },
  '/upload': (req, res) => {
    let bytes = 0;
    req.on('data', (chunk: Buffer) => (bytes += chunk.length)).on('end', () => res.end(String(bytes)));
  },
  '/upload-read': (req, res) =>
    void req
      .on('error', () => res.end('noticed'))
      .on('close', () => res.end('noticed'))
      .resume(),
  '/refuse': (_req, res) => res.writeHead(413, { Connection: 'close' }).end('too large'),
  // The connection is no longer read from by then, since nobody takes the body.
  '/refuse-late': (_req, res) =>
    void setTimeout(() => res.writeHead(413, { Connection: 'close' }).end('too large'), 200),
};

beforeEach(async () => {
  streams = [];
  metrics = new RequestMetrics([1]);
  server = new Server(
    (req, res) => {
      const answer = answers[req.url ?? ''];
      if (answer) answer(req, res);
      else res.end('here');
    },
    metrics,
    readConfig({}),
  );
  ({ port } = await server.listen({ port: 0, host: '127.0.0.1' }));
});

afterEach(() => server.drain({ timeoutMs: 0, graceMs: 0 }));

/** Requests by "method status". */
function counts(): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { labels, cells } of metrics.rows) {
    const key = `${labels.method} ${labels.status}`;
    sums[key] = (sums[key] ?? 0) + cells.slice(0, -1).reduce((sum, cell) => sum + cell);
  }
  return sums;
}

async function open(bytes: string | Buffer): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(bytes);
  return socket;
}

const leaves = [
  ['closes', (socket: Socket) => socket.destroy()],
  ['resets', (socket: Socket) => socket.resetAndDestroy()],
] as const;

test.each(leaves)(
  'a client that %s the connection after a CONNECT, early or late, hurts nobody',
  async (_, leave) => {
    for (let n = 0; n < 40; n += 1) {
      const socket = await open(head('CONNECT other:80 HTTP/1.1'));
      if (n % 2 === 0) await once(socket, 'data');
      leave(socket);
      await once(socket, 'close');
    }
    await eventually('all are counted', 5_000, () => (counts()['CONNECT 501'] ?? 0) >= 1);
    expect((await rawExchange(port, get('/'), { answers: 1 })).answers[0]?.status).toBe(200);
  },
);

describe.each(leaves)('when a client %s the connection', (_, leave) => {
  test('the streams of answers that were waiting for their turn are closed', async () => {
    const socket = await open(get('/never') + get('/stream').repeat(3));
    await eventually('the requests have arrived', 5_000, () => streams.length === 3);
    leave(socket);
    await eventually('they are closed', 5_000, () => streams.every(({ destroyed }) => destroyed));
    expect(counts()).toEqual({ 'GET 499': 4 });
  });

  test('answers that were waiting for their turn are counted as 499', async () => {
    const socket = await open(get('/never') + get('/').repeat(2));
    await eventually('the requests have arrived', 5_000, () => metrics.inProgress === 3);
    leave(socket);
    await eventually('they are counted', 5_000, () => metrics.inProgress === 0);
    expect(counts()).toEqual({ 'GET 499': 3 });
  });

  test.each([
    ['a CONNECT', head('CONNECT other:80 HTTP/1.1'), 'CONNECT 499'],
    ['what is no HTTP', 'rubbish\r\n\r\n', 'OTHER 499'],
  ])('%s that was waiting for its turn is counted as 499', async (_name, bytes, counted) => {
    const socket = await open(get('/never'));
    await eventually('the request has arrived', 5_000, () => metrics.inProgress === 1);
    socket.write(bytes);
    await rawExchange(port, get('/'), { answers: 1 }); // what was sent before has been read
    leave(socket);
    await eventually('both are counted', 5_000, () => Object.keys(counts()).length === 3);
    expect(counts()).toEqual({ 'GET 200': 1, 'GET 499': 1, [counted]: 1 });
  });
});

test('a client that ends in the middle of its body is a 499, though the app notices and answers', async () => {
  const upload = head('POST /upload-read HTTP/1.1', 'Content-Length: 50') + 'part';
  const { text } = await rawExchange(port, upload, { end: true });
  expect(text).toBe('');
  await eventually('it is counted', 5_000, () => metrics.inProgress === 0);
  expect(counts()).toEqual({ 'POST 499': 1 });
});

test('answers that wait for their turn are counted with their status when it comes', async () => {
  const { answers: got } = await rawExchange(port, get('/late') + get('/').repeat(2), { answers: 3 });
  expect(got.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(counts()).toEqual({ 'GET 200': 3 });
});

test.each(['/large', '/large-stream'])('an answer of %s before a CONNECT arrives whole', async (path) => {
  const { answers: got, malformed } = await rawExchange(port, get(path) + head('CONNECT other:80 HTTP/1.1'));
  expect(malformed).toBeUndefined();
  expect(got.map(({ status, body }) => [status, body.length])).toEqual([
    [200, 4 * MB],
    [501, expect.any(Number)],
  ]);
});

test('a client that sends its whole body before it reads finds the answer that refused it', async () => {
  const socket = connect(port, '127.0.0.1').pause();
  const errors: Error[] = [];
  socket.on('error', (error) => errors.push(error));
  socket.write(head('POST /refuse HTTP/1.1', `Content-Length: ${20 * MB}`));
  await eventually('it is answered', 5_000, () => counts()['POST 413'] === 1);
  expect(await readAfterSending(socket)).toMatch(TOO_LARGE);
  expect(errors).toEqual([]);
});

test('so does one whose body waited when it was refused', async () => {
  const socket = connect(port, '127.0.0.1').pause();
  const errors: Error[] = [];
  socket.on('error', (error) => errors.push(error));
  socket.write(head('POST /refuse-late HTTP/1.1', `Content-Length: ${20 * MB}`));
  expect(await readAfterSending(socket)).toMatch(TOO_LARGE);
  expect(errors).toEqual([]);
});

const TOO_LARGE = /^HTTP\/1.1 413 [^]*too large\r\n/;

async function readAfterSending(socket: Socket): Promise<string> {
  for (let sent = 0; sent < 20; sent += 1) {
    await new Promise((resolve) => socket.write(Buffer.alloc(MB), resolve));
  }
  let text = '';
  socket.on('data', (bytes: Buffer) => (text += bytes.toString())).resume();
  await once(socket, 'end');
  return text;
}

test('a client that never stops sending is cut off after an answer that refused it', async () => {
  const socket = await open(head('POST /refuse HTTP/1.1', 'Transfer-Encoding: chunked'));
  socket.resume();
  const chunk = Buffer.from(`${MB.toString(16)}\r\n${'x'.repeat(MB)}\r\n`);
  for (let sent = 0; sent < 200 && !socket.destroyed; sent += 1) {
    await new Promise((resolve) => socket.write(chunk, resolve));
  }
  await eventually('its connection is closed', 5_000, () => socket.destroyed);
  expect(counts()).toEqual({ 'POST 413': 1 });
});

test('what comes after the body of a last answer is no request', async () => {
  const body = head('POST /refuse HTTP/1.1', 'Content-Length: 5');
  const { answers: got } = await rawExchange(port, body, {
    parts: [{ afterMs: 50, bytes: `12345${get('/')}` }],
  });
  expect(got.map(({ status }) => status)).toEqual([413]);
  expect(counts()).toEqual({ 'POST 413': 1 });
});

describe('a client that waits for 100 Continue', () => {
  test('gets it when the handler reads the request itself', async () => {
    const socket = await open(waiting('/upload'));
    let text = '';
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
    await eventually('the 100', 5_000, () => text.startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
    socket.write('12345');
    await once(socket, 'close');
    expect(text).toMatch(/HTTP\/1.1 200 OK\r\n[^]*\r\n5$/);
  });

  test('gets none when nobody reads the body', async () => {
    const { text } = await rawExchange(port, waiting('/refuse'));
    expect(text).toMatch(/^HTTP\/1.1 413 /);
  });
});

describe('a drain in the middle of the header of a request', () => {
  test('waits for the rest, and answers', async () => {
    const socket = await open('GET / HTTP/1.1\r\nHo');
    await rawExchange(port, get('/'), { answers: 1 }); // what was sent before has been read
    const quiet = (await open('')).resume();
    await rawExchange(port, get('/'), { answers: 1 }); // the server knows of it
    const drained = server.drain({ timeoutMs: 20_000, graceMs: 50 });
    let text = '';
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
    // A quiet connection is closed meanwhile: the grace is over.
    await once(quiet, 'close');
    socket.write('st: x\r\n\r\n');
    await drained;
    await eventually('it is answered', 5_000, () => text !== '');
    expect(text).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  });

  test('refuses it at the deadline, and counts it', async () => {
    const exchange = rawExchange(port, 'GET / HTTP/1.1\r\nHo');
    await rawExchange(port, get('/'), { answers: 1 }); // what was sent before has been read
    await server.drain({ timeoutMs: 200, graceMs: 0 });
    expect((await exchange).answers.map(({ status }) => status)).toEqual([503]);
    expect(counts()).toEqual({ 'GET 200': 1, 'OTHER 503': 1 });
  });
});
