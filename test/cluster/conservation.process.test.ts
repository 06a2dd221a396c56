import { join } from 'node:path';
import { eventually } from '../support/eventually';
import { rawExchange, request } from '../support/exchange';
import { type Family, total } from '../support/exposition';
import { disposeAll, Service } from '../support/service';

const FIXTURE = join(process.cwd(), 'test/fixtures/service.js');

jest.setTimeout(60_000);
afterEach(disposeAll);

const JSON_BODY = { 'Content-Type': 'application/json' };
const post = (port: number, headers: Record<string, string>, body: string) =>
  request(port, '/echo', { method: 'POST', headers, body });

/** Every kind of answer of the service: what is sent, and where it must be counted. */
const KINDS: readonly [endpoint: string, status: number, send: (port: number) => Promise<unknown>][] = [
  ['/', 200, (port) => request(port, '/')],
  ['/hello/{name}', 200, (port) => request(port, '/hello/Ada')],
  ['/echo', 200, (port) => post(port, JSON_BODY, '{"message":"hi"}')],
  ['/echo', 400, (port) => post(port, JSON_BODY, '{"message":')],
  ['/echo', 413, (port) => post(port, JSON_BODY, JSON.stringify({ message: 'x'.repeat(200_000) }))],
  ['/echo', 415, (port) => post(port, { 'Content-Type': 'text/plain' }, 'hi')],
  ['/', 405, (port) => request(port, '/', { method: 'DELETE' })],
  ['unmatched', 404, (port) => request(port, `/nowhere/${Math.random()}`)],
  ['malformed', 400, (port) => rawExchange(port, 'NONSENSE\r\n\r\n')],
  [
    'malformed',
    431,
    (port) => rawExchange(port, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`),
  ],
];

const counts = (
  metrics: ReadonlyMap<string, Family>,
  kinds: readonly (readonly [string, number, ...unknown[]])[],
) =>
  kinds.map(([endpoint, status]) => [
    endpoint,
    status,
    total(metrics, 'flask_app_request_count', { endpoint, http_status: String(status) }),
  ]);

/** The histogram counts what the counter counts. */
function expectAgreement(metrics: ReadonlyMap<string, Family>): void {
  expect(total(metrics, 'flask_app_request_latency_seconds_count')).toBe(
    total(metrics, 'flask_app_request_count'),
  );
}

test('every answer is counted once, with its status, whichever worker gave it', async () => {
  const service = await Service.start({ env: { WEB_CONCURRENCY: '3' } });
  const rounds = 15;
  for (let round = 0; round < rounds; round++) {
    await Promise.all(KINDS.map(([, , send]) => send(service.port)));
  }
  const metrics = await service.scrape();
  expect(counts(metrics, KINDS)).toEqual(KINDS.map(([endpoint, status]) => [endpoint, status, rounds]));
  expectAgreement(metrics);
  expect(total(metrics, 'flask_app_requests_in_progress')).toBe(0);
});

test('errors, streams and clients that leave are counted once, as what the client saw', async () => {
  const service = await Service.start({ program: FIXTURE });
  const leave = (path: string) =>
    rawExchange(service.port, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`, { deadlineMs: 300 });
  const rounds = 5;
  for (let round = 0; round < rounds; round++) {
    await Promise.all([
      service.get('/throw'),
      service.get('/stream'),
      service.get('/failing-stream').catch(() => undefined), // it is cut
      leave('/slow?ms=5000'),
      leave('/stream?chunks=1000&ms=20'),
    ]);
  }
  const kinds = [
    ['/throw', 500],
    ['/stream', 200],
    ['/slow', 499],
    ['/stream', 499],
  ] as const;
  const metrics = await eventually('the answers that were left are noticed', 10_000, async () => {
    const scraped = await service.scrape();
    return total(scraped, 'flask_app_requests_in_progress') === 0 && scraped;
  });
  expect(counts(metrics, kinds)).toEqual(kinds.map(([endpoint, status]) => [endpoint, status, rounds]));
  expect(total(metrics, 'flask_app_request_count', { endpoint: '/failing-stream' })).toBe(rounds);
  expectAgreement(metrics);
});

test('without storage for them the counts are complete too, however soon a scrape follows another', async () => {
  const service = await Service.start({ env: { LEDGER_DIR: '/dev/null/none' } });
  for (let asked = 1; asked <= 5; asked++) {
    await service.get('/');
    expect(total(await service.scrape(), 'flask_app_request_count', { endpoint: '/' })).toBe(asked);
  }
  expect(service.stdout).toContain('No folder for counts');
});
