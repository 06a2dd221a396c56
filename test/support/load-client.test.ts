import { type Server, type Socket, createServer } from 'node:net';
import { eventually } from './eventually';
import { rawExchange, request } from './exchange';
import { Load, type LoadReport, failed } from './load-client';

const servers: Server[] = [];
const sockets = new Set<Socket>();

afterEach(() => {
  sockets.forEach((socket) => socket.destroy());
  servers.splice(0).forEach((server) => server.close());
});

/** A server that answers the n-th request of a connection by `behave`, and may do as badly as it likes. */
async function misbehaving(behave: (socket: Socket, request: number) => void): Promise<number> {
  const server = createServer((socket) => {
    let requests = 0;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', () => behave(socket, (requests += 1)));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on TCP');
  return address.port;
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

async function loadOf(port: number, connections: number | 'each', timeoutMs = 5000): Promise<LoadReport> {
  const load = new Load({ port, rate: 200, connections, timeoutMs });
  await eventually('20 requests', 5000, () => load.made >= 20);
  return load.stop();
}

describe('the load client', () => {
  it('answers every request of a good server, paced, over its connections', async () => {
    const seen = new Set<Socket>();
    const port = await misbehaving((socket) => {
      seen.add(socket);
      setTimeout(() => socket.write(ok), 15);
    });
    const report = await loadOf(port, 4);
    expect(report.statuses.get(200)).toBe(report.sent);
    expect(failed(report)).toBe(0);
    expect(report.latencies).toHaveLength(report.sent);
    expect(report.latencies[0]).toBeGreaterThan(14);
    expect(seen.size).toBeGreaterThan(1);
    expect(seen.size).toBeLessThanOrEqual(4);
  });

  it('opens a connection a request when asked to', async () => {
    const seen = new Set<Socket>();
    const port = await misbehaving((socket) => {
      seen.add(socket);
      socket.end(ok);
    });
    const report = await loadOf(port, 'each');
    expect(seen.size).toBe(report.sent);
  });

  it('calls a connection that closes without a byte unanswered, and does not try again', async () => {
    let received = 0;
    const port = await misbehaving((socket, nth) => {
      received += 1;
      if (nth === 1) socket.write(ok);
      else socket.destroy();
    });
    const report = await loadOf(port, 1);
    expect(report.outcomes.unanswered).toBeGreaterThan(0);
    expect(report.outcomes.unanswered + report.outcomes.answered).toBe(report.sent);
    expect(received).toBe(report.sent);
    expect(report.failures[0]?.text).toContain('unanswered');
  });

  it.each([
    ['a body that is short', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok'],
    ['a chunked body without its end', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n'],
    ['half a head', 'HTTP/1.1 200 O'],
    ['what is not HTTP', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
  ])('calls %s cut', async (_, bytes) => {
    const report = await loadOf(await misbehaving((socket) => socket.end(bytes)), 2);
    expect(report.outcomes.cut).toBe(report.sent);
  });

  it('gives up a request that is never answered', async () => {
    const report = await loadOf(await misbehaving(() => undefined), 'each', 50);
    expect(report.outcomes['timed out']).toBe(report.sent);
  });

  it('calls a closed port refused', async () => {
    const port = await misbehaving(() => undefined);
    servers.splice(0).forEach((server) => server.close());
    const report = await loadOf(port, 2);
    expect(report.outcomes.refused).toBe(report.sent);
  });

  it('uses no connection again that the server wants closed', async () => {
    let late = 0;
    const port = await misbehaving((socket, nth) => {
      if (nth > 1) late += 1;
      socket.write(ok.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    });
    const report = await loadOf(port, 3);
    expect(failed(report)).toBe(0);
    expect(late).toBe(0);
  });

  it('takes a connection that closes while idle for no failure', async () => {
    const port = await misbehaving((socket) => {
      socket.write(ok);
      setTimeout(() => socket.end(), 1);
    });
    const load = new Load({ port, rate: 20, connections: 1 });
    await eventually('5 requests', 5000, () => load.made >= 5);
    expect(failed(await load.stop())).toBe(0);
  });

  it('counts answers that nobody asked for', async () => {
    const report = await loadOf(await misbehaving((socket) => socket.write(ok + ok)), 2);
    expect(report.surplus).toBe(report.sent);
  });
});

describe('a raw exchange', () => {
  it('reports every answer, interim ones skipped, and when the socket closed', async () => {
    const port = await misbehaving((socket) => socket.end(`HTTP/1.1 100 Continue\r\n\r\n${ok}${ok}`));
    const exchange = await rawExchange(port, 'x');
    expect(exchange.answers.map(({ status, body }) => [status, body.toString()])).toEqual([
      [200, 'ok'],
      [200, 'ok'],
    ]);
    expect(exchange.malformed).toBeUndefined();
    expect(exchange.closedAfterMs).toBeLessThan(4000);
  });

  it('says when the socket stays open', async () => {
    const port = await misbehaving((socket) => socket.write(ok));
    const exchange = await rawExchange(port, 'x', { deadlineMs: 50 });
    expect(exchange.closedAfterMs).toBeUndefined();
  });

  it('names what is malformed', async () => {
    const port = await misbehaving((socket) =>
      socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz'),
    );
    expect((await rawExchange(port, 'x')).malformed).toBe('an unfinished answer');
    const broken = await misbehaving((socket) =>
      socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'),
    );
    expect((await rawExchange(broken, 'x')).malformed).toContain('not a chunk size');
  });

  it('reads a body that ends with the connection, and none after HEAD', async () => {
    const untilEnd = await misbehaving((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nall of it'));
    expect((await request(untilEnd, '/')).body.toString()).toBe('all of it');
    const head = await misbehaving((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n'));
    expect((await request(head, '/', { method: 'HEAD' })).status).toBe(200);
  });
});
