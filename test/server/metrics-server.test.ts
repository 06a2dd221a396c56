import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { MetricsServer } from '../../src/server/metrics-server';
import { rawExchange } from '../support/exchange';

const request = (token: string): string => `GET / HTTP/1.1\r\nHost: x\r\nAuthorization: ${token}\r\n\r\n`;

let server: MetricsServer;
let port: number;
const open = new Set<Socket>();
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

beforeEach(async () => {
  server = new MetricsServer((req, res) => {
    const known = req.headers.authorization === 'right';
    // A scrape takes a while; a refusal does not.
    setTimeout(() => res.writeHead(known ? 200 : 401).end('here'), known ? 50 : 0);
  });
  port = await server.listen(0, '127.0.0.1');
});

afterEach(async () => {
  agent.destroy();
  for (const socket of open) socket.destroy();
  open.clear();
  await server.close();
});

/** A hundred connections that send this, and stay. */
async function hold(bytes: string): Promise<void> {
  const sockets = Array.from({ length: 100 }, () => connect(port, '127.0.0.1').on('error', () => {}));
  for (const socket of sockets) open.add(socket);
  await Promise.all(
    sockets.map(async (socket) => {
      await once(socket, 'connect');
      socket.write(bytes);
      if (bytes.endsWith('\r\n\r\n')) await Promise.race([once(socket, 'data'), once(socket, 'close')]);
    }),
  );
}

/** A scrape on a connection that is kept, and whether it was a new one. */
async function keptScrape(): Promise<{ status: number | undefined; reused: boolean }> {
  const asked = get({ port, host: '127.0.0.1', agent, headers: { Authorization: 'right' } });
  const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage]; // as Node emits it
  await text(response);
  return { status: response.statusCode, reused: asked.reusedSocket };
}

test.each([
  ['that have sent nothing', ''],
  ['that have sent a part of a request', 'GET / HTTP/1.1\r\n'],
  ['that were refused', request('wrong')],
])('beside a hundred connections %s a scrape is answered', async (_, bytes) => {
  await hold(bytes);
  const { answers } = await rawExchange(port, request('right'), { answers: 1 });
  expect(answers[0]?.status).toBe(200);
});

test('a scraper keeps its connection while others hold a hundred, and come while it is answered', async () => {
  expect(await keptScrape()).toEqual({ status: 200, reused: false });
  await hold(request('wrong'));
  const scrape = keptScrape();
  await hold('');
  expect(await scrape).toEqual({ status: 200, reused: true });
});

test('where all are scrapers, the one that was used longest ago makes room', async () => {
  await hold(request('right'));
  const { answers } = await rawExchange(port, request('right'), { answers: 1 });
  expect(answers[0]?.status).toBe(200);
});
