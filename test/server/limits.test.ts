import { readConfig } from '../../src/config';
import { RequestMetrics } from '../../src/metrics/request-metrics';
import { Server } from '../../src/server/http-server';
import { rawExchange } from '../support/exchange';

let server: Server;
let metrics: RequestMetrics;

afterEach(() => server.drain({ timeoutMs: 0, graceMs: 0 }));

async function listen(env: Record<string, string>): Promise<number> {
  metrics = new RequestMetrics([1]);
  server = new Server(
    (req, res) => void req.resume().on('end', () => res.end('taken')),
    metrics,
    readConfig(env),
  );
  return (await server.listen({ port: 0, host: '127.0.0.1' })).port;
}

const UPLOAD = 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n1';
/**
 * A body whose second byte comes later than the shortest timeout of these tests, and
 * than Node's next check of it.
 */
const LATE = { parts: [{ afterMs: 1_700, bytes: '2' }], deadlineMs: 5_000 };

test('an upload that takes longer than REQUEST_TIMEOUT_MS is a 408', async () => {
  const port = await listen({ REQUEST_TIMEOUT_MS: '300' });
  const { answers } = await rawExchange(port, UPLOAD, LATE);
  expect(answers.map(({ status }) => status)).toEqual([408]);
});

test('with a longer REQUEST_TIMEOUT_MS it is answered', async () => {
  const port = await listen({ REQUEST_TIMEOUT_MS: '60000' });
  const { answers } = await rawExchange(port, UPLOAD, LATE);
  expect(answers.map(({ status }) => status)).toEqual([200]);
});

test('a header that takes longer is counted with the time that it was given', async () => {
  const port = await listen({ REQUEST_TIMEOUT_MS: '300' });
  const { answers } = await rawExchange(port, 'GET / HTTP/1.1\r\nHost:', { deadlineMs: 5_000 });
  expect(answers.map(({ status }) => status)).toEqual([408]);
  expect(metrics.rows.map(({ cells }) => [...cells])).toEqual([[1, 0, 0.3]]);
});

test('KEEP_ALIVE_TIMEOUT_MS is what clients are told, and when an idle connection is closed', async () => {
  const port = await listen({ KEEP_ALIVE_TIMEOUT_MS: '620000' });
  const { answers } = await rawExchange(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', { answers: 1 });
  expect(answers[0]?.headers.get('keep-alive')).toBe('timeout=620');
  await server.drain({ timeoutMs: 0, graceMs: 0 });
  const short = await listen({ KEEP_ALIVE_TIMEOUT_MS: '50' });
  const { closedAfterMs } = await rawExchange(short, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', {
    deadlineMs: 10_000,
  });
  expect(closedAfterMs).toBeDefined();
});

test.each([
  ['20kb', 431],
  ['40kb', 200],
])('a header of 30 kB with MAX_HEADER_SIZE=%s is a %s', async (limit, status) => {
  const port = await listen({ MAX_HEADER_SIZE: limit });
  const request = `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: ${'x'.repeat(30_000)}\r\n\r\n`;
  const { answers } = await rawExchange(port, request);
  expect(answers.map((answer) => answer.status)).toEqual([status]);
});
