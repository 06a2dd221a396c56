import { type Socket, connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually';
import { requestBytes } from '../support/exchange';
import { total } from '../support/exposition';
import type { Service } from '../support/service';
import type { Context, FaultCase } from './context';

interface Behaviour {
  readonly name: string;
  readonly endpoint: string;
  readonly bytes: Buffer | string;
  /** The status under which it must be counted, once. */
  readonly status: number;
  /** The client's part after it has sent `bytes`; it returns when the client regards the request as over. */
  readonly act: (socket: Socket) => Promise<void>;
  /** The duration counted must be that of the client, within 20 ms. */
  readonly timed?: boolean;
}

const get = (path: string): Buffer => requestBytes({ method: 'GET', path });

async function data(socket: Socket): Promise<void> {
  await new Promise((resolve) => socket.once('data', resolve));
}

/** Reads until the service has sent everything: the last chunk, so many bytes, or the end. */
async function all(socket: Socket, bytes = Infinity): Promise<void> {
  let received = 0;
  let tail = '';
  await new Promise<void>((resolve) => {
    socket.on('close', () => resolve());
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      tail = (tail + chunk.toString('latin1')).slice(-7);
      if (tail.endsWith('\r\n0\r\n\r\n') || received >= bytes) resolve();
    });
  });
}

const leave = async (socket: Socket, afterMs: number): Promise<void> => {
  await delay(afterMs);
  socket.destroy();
};

const stream = '/stream?chunks=10&ms=20&size=1000';
const upload = 'POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n';

const behaviours: readonly Behaviour[] = [
  {
    name: 'abort before the answer',
    endpoint: '/slow',
    bytes: get('/slow?ms=400'),
    status: 499,
    act: (socket) => leave(socket, 100),
    timed: true,
  },
  {
    name: 'abort during the answer',
    endpoint: '/stream',
    bytes: get(stream),
    status: 499,
    act: async (socket) => {
      await data(socket);
      await leave(socket, 60);
    },
    timed: true,
  },
  {
    name: 'abort during an answer with Content-Length',
    endpoint: '/stream',
    bytes: get(`${stream}&length=1`),
    status: 499,
    act: async (socket) => {
      await data(socket);
      await leave(socket, 60);
    },
    timed: true,
  },
  {
    name: 'abort after the answer',
    endpoint: '/',
    bytes: get('/'),
    status: 200,
    act: async (socket) => {
      await data(socket);
      socket.destroy();
    },
  },
  {
    name: 'a stream, chunked',
    endpoint: '/stream',
    bytes: get(stream),
    status: 200,
    act: (socket) => all(socket),
    timed: true,
  },
  {
    name: 'a stream with Content-Length',
    endpoint: '/stream',
    bytes: get(`${stream}&length=1`),
    status: 200,
    act: (socket) => all(socket, 10_000),
    timed: true,
  },
  {
    name: 'a reader that pauses for 500 ms in a stream of 20 MB',
    endpoint: '/stream',
    bytes: get('/stream?chunks=20&ms=0&size=1000000'),
    status: 200,
    act: async (socket) => {
      await data(socket);
      socket.pause();
      await delay(500);
      const end = all(socket);
      socket.resume();
      await end;
    },
    timed: true,
  },
  {
    name: 'a reader that leaves in the middle of a stream of 20 MB',
    endpoint: '/stream',
    bytes: get('/stream?chunks=20&ms=0&size=1000000'),
    status: 499,
    act: async (socket) => {
      await data(socket);
      socket.pause();
      await leave(socket, 200);
    },
    timed: true,
  },
  {
    name: 'a stream that fails',
    endpoint: '/failing-stream',
    bytes: get('/failing-stream'),
    status: 200,
    act: (socket) => all(socket),
    timed: true,
  },
  {
    name: 'an upload that is aborted',
    endpoint: '/upload',
    bytes: `${upload}only this`,
    status: 499,
    act: (socket) => leave(socket, 100),
    timed: true,
  },
  {
    name: 'an upload that is aborted before its first byte',
    endpoint: '/upload',
    bytes: upload,
    status: 499,
    act: (socket) => leave(socket, 50),
    timed: true,
  },
  { name: 'a handler that throws', endpoint: '/throw', bytes: get('/throw'), status: 500, act: data },
  {
    name: 'a reply that breaks its description',
    endpoint: '/bad-response',
    bytes: get('/bad-response'),
    status: 500,
    act: data,
  },
];

interface Counts {
  readonly right: number;
  readonly all: number;
  readonly seconds: number;
}

async function countsOf(service: Service, endpoint: string, status: number): Promise<Counts> {
  const families = await service.scrape();
  return {
    right: total(families, 'flask_app_request_count', { endpoint, http_status: String(status) }),
    all: total(families, 'flask_app_request_count', { endpoint }),
    seconds: total(families, 'flask_app_request_latency_seconds_sum', { endpoint }),
  };
}

async function tryOut(context: Context, service: Service, behaviour: Behaviour): Promise<void> {
  const { name, endpoint, bytes, status, act, timed = false } = behaviour;
  const before = await countsOf(service, endpoint, status);
  const socket = connect({ port: service.port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('connect', resolve));
  const at = performance.now();
  socket.write(bytes);
  await act(socket);
  const clientMs = performance.now() - at;
  const counted = await eventually('a count', 3000, async () => {
    const after = await countsOf(service, endpoint, status);
    return after.all > before.all && after;
  }).catch(() => before);
  socket.destroy();
  // A second count would come with the close.
  await delay(50);
  const after = await countsOf(service, endpoint, status);
  const ms = (counted.seconds - before.seconds) * 1000;
  const off = Math.abs(ms - clientMs);
  const duration = timed ? `, ${ms.toFixed(0)} ms against the client's ${clientMs.toFixed(0)} ms` : '';
  context.check(
    name,
    `${after.all - before.all} counts, ${after.right - before.right} as ${status}${duration}`,
    `1, as ${status}${timed ? ', within 20 ms' : ''}`,
    after.all - before.all === 1 && after.right - before.right === 1 && (!timed || off <= 20),
  );
}

/** Clients that leave, dawdle, or meet a handler that fails. */
export const unreliableClients: FaultCase = {
  id: 'unreliable-clients',
  async run(context: Context) {
    // With one worker, the client's first byte and the worker's first read are close in time.
    const service = await context.faulty({ WEB_CONCURRENCY: '1' });
    for (const path of ['/', '/stream?chunks=1', '/slow?ms=1']) await service.get(path);
    for (const behaviour of behaviours) await tryOut(context, service, behaviour);
    // Scrapes that come often share what workers were asked for.
    const idle = eventually('none in progress', 5000, async () => {
      return total(await service.scrape(), 'flask_app_requests_in_progress') === 0;
    });
    const busy = await idle.then(() => 'none', String);
    context.check('requests in progress after all of them', busy, 'none', busy === 'none');
    await service.dispose();
  },
};
