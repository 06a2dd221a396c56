import { once } from 'node:events';
import { connect } from 'node:net';
import timers from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { readConfig } from '../../src/config';
import { Server } from '../../src/server/http-server';
import { RequestMetrics } from '../../src/metrics/request-metrics';

/**
 * A client in a thread of its own, which can write while the thread of the server is busy. It has one request answered on
 * each of its connections, says so, writes again as `again` has it, sets flag 1, and reports when all are closed.
 */
const client = `
const { workerData, parentPort } = require('node:worker_threads');
const { connect } = require('node:net');
const { port, flags, connections, again } = workerData;
const request = 'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n';
let answers = 0;
const open = new Set();
const writeAgain = (socket) => socket?.write(request, () => {
  Atomics.store(flags, 1, 1);
  Atomics.notify(flags, 1);
});
for (let n = 0; n < connections; n += 1) {
  const socket = connect(port, '127.0.0.1', () => socket.write(request));
  open.add(socket);
  socket.on('error', () => undefined);
  socket.on('data', (data) => {
    answers += data.toString().split('HTTP/1.1 200').length - 1;
    if (answers !== connections) return;
    parentPort.postMessage('idle');
    Atomics.wait(flags, 0, 0);
    if (again === 'at once') writeAgain(socket);
  });
  socket.on('close', () => {
    open.delete(socket);
    if (open.size === 0) parentPort.postMessage({ answers });
    else if (again === 'when the other is closed') writeAgain([...open][0]);
  });
}
`;

const graceMs = 20;
let server: Server;
let thread: Worker | undefined;
const flags = new Int32Array(new SharedArrayBuffer(8));

beforeEach(() => {
  flags.fill(0);
  server = new Server((_req, res) => res.end('ok'), new RequestMetrics([1]), readConfig({}));
});

afterEach(async () => {
  await thread?.terminate();
  server.http.closeAllConnections();
});

/** Starts the client, and resolves when its connections are idle. */
async function idle(connections: number, again: string): Promise<Worker> {
  const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
  const workerData = { port, flags, connections, again };
  thread = new Worker(client, { eval: true, workerData });
  await once(thread, 'message');
  return thread;
}

function letItWrite(): void {
  Atomics.store(flags, 0, 1);
  Atomics.notify(flags, 0);
}

it('answers a request that arrived before its quiet connection is closed, though it was not read yet', async () => {
  const worker = await idle(1, 'at once');
  const started = performance.now();
  const drained = server.drain({ timeoutMs: 5000, graceMs });
  letItWrite();
  Atomics.wait(flags, 1, 0, 5000);
  while (performance.now() < started + 5 * graceMs);
  const [{ answers }] = await once(worker, 'message');
  expect(answers).toBe(2);
  await drained;
});

it('answers a request that arrives while another quiet connection is being closed', async () => {
  // Closing takes as long as the client takes to write on the other connection.
  server.http.on('connection', (socket) => socket.once('close', () => Atomics.wait(flags, 1, 0, 5000)));
  const worker = await idle(2, 'when the other is closed');
  letItWrite();
  const drained = server.drain({ timeoutMs: 5000, graceMs });
  const [{ answers }] = await once(worker, 'message');
  expect(answers).toBe(3);
  await drained;
});

describe('what comes between the poll for input and the close', () => {
  const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

  /** Drains, and lets the client write this after the poll that comes before the close; gives all that it then receives. */
  async function receivedAfter(late: string, rest?: string): Promise<string> {
    const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
    const socket = connect(port, '127.0.0.1');
    socket.setEncoding('latin1').write(GET);
    await once(socket, 'data');
    let received = '';
    socket.on('data', (text: string) => (received += text));
    const { setImmediate } = timers;
    const poll = jest.spyOn(timers, 'setImmediate').mockImplementationOnce(async () => {
      await setImmediate();
      // Straight to the kernel, and from there to the other end.
      socket.write(late);
      if (rest !== undefined) setTimeout(() => socket.write(rest), 5 * graceMs).unref();
    });
    const drained = server.drain({ timeoutMs: 5000, graceMs: rest === undefined ? graceMs : 10 * graceMs });
    await once(socket, 'close');
    await drained;
    expect(poll).toHaveBeenCalled();
    poll.mockRestore();
    return received;
  }

  it('is answered', async () => {
    expect(await receivedAfter(GET)).toMatch(/^HTTP\/1\.1 200 [^]*Connection: close[^]*ok$/);
  });

  it('is answered when the rest of it has come', async () => {
    expect(await receivedAfter(GET.slice(0, 20), GET.slice(20))).toMatch(/^HTTP\/1\.1 200 [^]*ok$/);
  });

  it('is refused where it is no request', async () => {
    expect(await receivedAfter('NONSENSE\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  });
});
