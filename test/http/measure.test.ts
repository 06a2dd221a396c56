import http, { type RequestListener } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import Koa from 'koa';
import request from 'supertest';
import { measuredResponse } from '../../src/server/response/measured-response';
import { measurementOf, measuring } from '../../src/http/measure';
import { RequestMetrics } from '../../src/metrics/request-metrics';
import { eventually } from '../support/eventually';

const CHUNK = Buffer.alloc(65_536, 'x');
const CHUNKS = 400;

let metrics: RequestMetrics;
beforeEach(() => {
  metrics = new RequestMetrics([0.1, 1]);
});

const counted = () => metrics.rows.map(({ labels, cells }) => [labels.status, [...cells.subarray(0, -1)]]);

/** Serves one slow reader. Reports what was counted when the server gave the last bytes of the answer to the socket. */
async function seenWithLastByte(
  listener: RequestListener,
  isWhole: (bytes: number, tail: string) => boolean,
): Promise<unknown> {
  let seen: unknown;
  const server = http.createServer({ ServerResponse: measuredResponse(metrics) }, (req, res) => {
    const write = req.socket.write.bind(req.socket);
    req.socket.write = (...args: unknown[]) => {
      seen = counted();
      return Reflect.apply(write, undefined, args);
    };
    listener(req, res);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1'); // a TCP server
  try {
    return await new Promise((resolve, reject) => {
      let bytes = 0;
      socket.once('error', reject).on('data', (chunk: Buffer) => {
        // The head comes in the first chunk.
        bytes += chunk.length - (bytes === 0 ? chunk.indexOf('\r\n\r\n') + 4 : 0);
        if (isWhole(bytes, chunk.toString('latin1').slice(-5))) resolve(seen);
      });
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
      socket.pause();
      // The server writes until no buffer takes any more: the answer is not counted before the rest can leave.
      eventually('the answer is stuck', 5_000, () => metrics.inProgress === 1 && counted().length === 0)
        .then(() => socket.resume())
        .catch(reject);
    });
  } finally {
    socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

function writeAll(res: http.ServerResponse): void {
  for (let i = 0; i < CHUNKS; i++) res.write(CHUNK);
  res.end();
}

describe('a stream is counted before the last byte of its answer leaves, and not before the one ahead of it', () => {
  test('with chunks', async () => {
    const seen = await seenWithLastByte(
      (_req, res) => writeAll(res),
      (_bytes, tail) => tail === '0\r\n\r\n',
    );
    expect(seen).toEqual([[200, [expect.any(Number), expect.any(Number), expect.any(Number)]]]);
  });

  test('with a known length', async () => {
    const length = CHUNKS * CHUNK.length;
    const seen = await seenWithLastByte(
      (_req, res) => {
        res.setHeader('Content-Length', length);
        writeAll(res);
      },
      (bytes) => bytes === length,
    );
    expect(seen).toEqual([[200, [expect.any(Number), expect.any(Number), expect.any(Number)]]]);
  });
});

function appWith(middleware: Koa.Middleware) {
  const app = new Koa();
  app.silent = true;
  const measure = measuring(metrics);
  app.use((ctx, next) => {
    measure(ctx);
    return next();
  });
  app.use(middleware);
  return request(app.callback());
}

describe('under a server that is not ours', () => {
  test('an answer is counted once, with its endpoint and status', async () => {
    await appWith((ctx) => {
      measurementOf(ctx).endpoint = metrics.endpoint('/things/{id}');
      ctx.status = 201;
      ctx.body = 'made';
    })
      .post('/things/1')
      .expect(201);
    expect(metrics.rows.map(({ labels }) => labels)).toEqual([
      { method: 'POST', endpoint: '/things/{id}', status: 201 },
    ]);
    expect(metrics.inProgress).toBe(0);
  });

  test('what is thrown is counted with the status that Koa sends', async () => {
    await appWith((ctx) => ctx.throw(418))
      .get('/')
      .expect(418);
    expect(metrics.rows.map(({ labels }) => labels)).toEqual([
      { method: 'GET', endpoint: 'unmatched', status: 418 },
    ]);
  });

  test('a request that is excluded is not in progress, and counted all the same', async () => {
    let during = NaN;
    await appWith((ctx) => {
      measurementOf(ctx).leaveInProgress();
      during = metrics.inProgress;
      ctx.body = 'scraped';
    }).get('/');
    expect([during, metrics.inProgress, metrics.rows.length]).toEqual([0, 0, 1]);
  });
});

test('an answer of another server is counted with the status of its header, whatever is set later', async () => {
  const measure = measuring(metrics);
  await request((req: http.IncomingMessage, res: http.ServerResponse) => {
    measure({ req, res });
    res.write('part');
    res.statusCode = 500;
    res.end();
  })
    .get('/')
    .expect(200);
  expect(metrics.rows.map(({ labels }) => labels.status)).toEqual([200]);
});
