import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { ConnectionHandle } from '../../src/server/connection-handle';
import { readConfig } from '../../src/config';
import { type DrainOptions, Server } from '../../src/server/http-server';
import { RequestMetrics } from '../../src/metrics/request-metrics';
import { eventually } from '../support/eventually';

const REQUEST = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

/** A server that answers with its name, a request for `/slow` when it is told to. */
class Named {
  readonly metrics = new RequestMetrics([1]);
  readonly server: Server;
  readonly slow: (() => void)[] = [];
  readonly sockets: Socket[] = [];

  constructor(name: string) {
    this.server = new Server(
      (req, res) => {
        const answer = () => res.end(name);
        if (req.url === '/slow') this.slow.push(answer);
        else answer();
      },
      this.metrics,
      readConfig({}),
    );
    this.server.http.on('connection', (socket) => this.sockets.push(socket));
  }
}

/** A client's connection, and what it got: the names of those who answered. */
class Client {
  readonly answers: string[] = [];
  last = '';
  closed = false;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.last = text;
      this.answers.push(...text.split('\r\n\r\n').filter((part) => /^(old|new)/.test(part)));
    });
    socket.on('error', () => undefined).on('close', () => (this.closed = true));
  }

  static async open(port: number): Promise<Client> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new Client(socket);
  }

  async ask(request = REQUEST): Promise<string | undefined> {
    const before = this.answers.length;
    this.socket.write(request);
    await eventually('an answer', 5_000, () => this.answers.length > before || this.closed);
    return this.answers[before];
  }
}

let from: Named;
let to: Named;
let port: number;
let clients: Client[];

beforeEach(async () => {
  from = new Named('old');
  to = new Named('new');
  clients = [];
  ({ port } = await from.server.listen({ port: 0, host: '127.0.0.1' }));
  await to.server.listen({ port: 0, host: '127.0.0.1' });
});

afterEach(() => {
  for (const { socket } of clients) socket.destroy();
  for (const { server } of [from, to]) {
    server.http.closeAllConnections();
    server.http.close();
  }
});

async function open(): Promise<Client> {
  const client = await Client.open(port);
  clients.push(client);
  return client;
}

/** Hands a connection over, as late as it would arrive in another process, at least. */
async function handOver(connection: ConnectionHandle): Promise<void> {
  await setImmediate();
  to.server.adopt(connection);
}

function drain(options: Partial<DrainOptions> = {}): Promise<void> {
  return from.server.drain({ timeoutMs: 5_000, graceMs: 500, handOver, ...options });
}

test('an idle connection goes on, and another answers on it', async () => {
  const client = await open();
  expect(await client.ask()).toBe('old');
  await drain();
  expect(await client.ask()).toBe('new');
  expect(client.last).not.toMatch(/connection: close/i);
  expect(client.closed).toBe(false);
});

test('one that was never used goes on too', async () => {
  const client = await open();
  await eventually('it is accepted', 5_000, () => from.sockets.length === 1);
  await drain();
  expect(await client.ask()).toBe('new');
});

test('what the client sends on the way is answered', async () => {
  const client = await open();
  await client.ask();
  await drain({
    handOver: async (connection) => {
      client.socket.write(REQUEST);
      // The kernel has it before it has a new reader.
      await setTimeout(20);
      to.server.adopt(connection);
    },
  });
  await eventually('its answer', 5_000, () => client.answers.length === 2);
  expect(client.answers).toEqual(['old', 'new']);
});

test('a request of which a part has arrived is answered where it arrived', async () => {
  const client = await open();
  await client.ask();
  client.socket.write(REQUEST.slice(0, 10));
  await eventually('it arrives', 5_000, () => (from.sockets[0]?.bytesRead ?? 0) > REQUEST.length);
  const drained = drain();
  expect(await client.ask(REQUEST.slice(10))).toBe('old');
  await drained;
  expect(await client.ask()).toBe('new');
});

test('one with a request that takes longer than the grace is closed with its answer', async () => {
  const client = await open();
  const answer = client.ask(REQUEST.replace('/', '/slow'));
  await eventually('it arrives', 5_000, () => from.slow.length === 1);
  const drained = drain({ graceMs: 20 });
  // The grace is a time, and its end shows only in the next answer.
  await setTimeout(200);
  from.slow[0]?.();
  expect(await answer).toBe('old');
  expect(client.last).toMatch(/connection: close/i);
  await drained;
});

test('one that has come from elsewhere is idle, and no request that is late', async () => {
  const client = await open();
  await client.ask();
  await drain();
  to.server.http.headersTimeout = 100;
  to.server.http.requestTimeout = 100;
  await once(to.server.http, 'clientError');
  expect(await client.ask()).toBe('new');
  expect(client.answers).toEqual(['old', 'new']);
});

test('each request is counted once, by the one that answered it', async () => {
  const client = await open();
  await client.ask();
  await drain();
  await client.ask();
  const counts = [from, to].map(({ metrics }) =>
    metrics.rows.map(({ labels, cells }) => [labels.status, cells[0]]),
  );
  expect(counts).toEqual([[[200, 1]], [[200, 1]]]);
  expect([from, to].map(({ metrics }) => metrics.inProgress)).toEqual([0, 0]);
});
