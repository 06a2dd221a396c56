import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Koa from 'koa';
import { readConfig } from '../../src/config';
import { RequestMetrics } from '../../src/metrics/request-metrics';
import { Server } from '../../src/server/http-server';
import { rawExchange } from '../support/exchange';

const seen: string[] = [];
const note = (what: string) => () => void seen.push(what);
const noteError = (res: ServerResponse) =>
  res.on('error', (error: NodeJS.ErrnoException) => void seen.push(String(error.code)));

/** Koa answers by itself what it takes for unanswered. */
function koa(): RequestListener {
  const app = new Koa();
  app.on('error', (error: NodeJS.ErrnoException) => void seen.push(String(error.code)));
  app.use(async ({ res }) => {
    await Promise.resolve();
    res.statusCode = 200;
    res.write('a');
    res.end('b');
  });
  const handle = app.callback();
  return (req, res) => void handle(req, res);
}

const listeners: Readonly<Record<string, RequestListener>> = {
  'an answer of two parts is ended at once': (_req, res) => {
    res.write('a');
    res.end('b');
    seen.push(`ended: ${res.writableEnded}, writable: ${res.writable}`);
  },
  'what is written after the end is an error': (_req, res) => {
    noteError(res);
    res.write('a');
    res.end();
    res.write('late');
  },
  'a second end with a text is an error': (_req, res) => {
    noteError(res);
    res.write('a');
    res.end();
    res.end('late');
  },
  'a second end without one does nothing': (_req, res) => {
    noteError(res);
    res.write('a');
    res.end(note('first'));
    res.end();
  },
  'the parts of a known length are ended by the last': (_req, res) => {
    res.setHeader('Content-Length', 2);
    res.write('a');
    res.write('b', note('second'));
    res.end(note('end'));
    seen.push(`ended: ${res.writableEnded}`);
  },
  'parts that the socket holds back are ended': (_req, res) => {
    res.socket?.cork();
    res.write('a');
    res.end('b');
  },
  'a text in an unknown encoding is an error, and no part of the answer': (_req, res) => {
    res.setHeader('Content-Length', 2);
    try {
      // Without the socket Node would notice only later.
      if (res.socket) Reflect.apply(res.write.bind(res), undefined, ['no', 'nothing']);
    } catch (error) {
      seen.push(String((error as NodeJS.ErrnoException).code)); // of Node
    }
    res.end('ok');
  },
  'the callback of the end of a text of known length is called': (_req, res) => {
    res.setHeader('Content-Length', 1);
    // The types leave this form out.
    Reflect.apply(res.end.bind(res), undefined, ['a', undefined, note('end')]);
  },
  'Koa finds an answer that a middleware has written': koa(),
};

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

async function exchange(port: number): Promise<{ bodies: string[]; seen: string[] }> {
  seen.length = 0;
  // Two requests in one packet: the answer to the second one waits for the first.
  const { answers } = await rawExchange(port, REQUEST.repeat(2), { answers: 2 });
  return {
    bodies: answers.map(({ body }) => body.toString()),
    seen: seen.toSorted((a, b) => a.localeCompare(b)),
  };
}

async function ofNode(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const found = await exchange((server.address() as AddressInfo).port);
  server.closeAllConnections();
  server.close();
  return found;
}

async function ofOurs(listener: RequestListener) {
  const metrics = new RequestMetrics([1]);
  const server = new Server(listener, metrics, readConfig({}));
  const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
  const found = await exchange(port);
  await server.drain({ timeoutMs: 0, graceMs: 0 });
  return { ...found, counted: metrics.answered().reduce((sum, count) => sum + count, 0) };
}

test.each(Object.entries(listeners))('as in Node: %s', async (_name, listener) => {
  const node = await ofNode(listener);
  expect(node.bodies).toHaveLength(2);
  expect(await ofOurs(listener)).toEqual({ ...node, counted: 2 });
});

const corked: RequestListener = (_req, res) => {
  res.cork();
  res.write('a');
  res.write('b');
  res.end('c');
};

// Node 24 itself ends such an answer in its middle.
test('parts that are held back are ended', async () => {
  expect(await ofOurs(corked)).toEqual({ bodies: ['abc', 'abc'], seen: [], counted: 2 });
});

const mismatched: RequestListener = (_req, res) => {
  res.strictContentLength = true;
  res.setHeader('Content-Length', 3);
  res.write('a');
  res.end('b');
};

test('an end that Node refuses when its turn comes breaks the answer off, and harms nobody else', async () => {
  const metrics = new RequestMetrics([1]);
  const server = new Server(mismatched, metrics, readConfig({}));
  const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
  const { text, malformed, closedAfterMs } = await rawExchange(port, REQUEST);
  await server.drain({ timeoutMs: 0, graceMs: 0 });
  expect([text.endsWith('\r\n\r\na'), malformed]).toEqual([true, 'an unfinished answer']);
  expect(closedAfterMs).toBeLessThan(5_000);
  expect(metrics.answered().reduce((sum, count) => sum + count, 0)).toBe(1);
});
