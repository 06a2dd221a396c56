import { setTimeout as delay } from 'node:timers/promises';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { request } from '../support/exchange';
import { Service } from '../support/service';
import { GATHERING_INTERVAL_MS, type Context, type FaultCase } from './context';

interface Body {
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
  readonly statuses: readonly number[];
}

const good = '{"message":"x"}';
const json = { 'Content-Type': 'application/json' };

const typed = (type: string, ...statuses: number[]): Body => ({
  name: JSON.stringify(type),
  headers: { 'Content-Type': type },
  body: good,
  statuses,
});
const encoded = (name: string, encoding: string, body: string | Buffer, ...statuses: number[]): Body => ({
  name,
  headers: { ...json, 'Content-Encoding': encoding },
  body,
  statuses,
});
const plain = (name: string, body: string | Buffer, ...statuses: number[]): Body => ({
  name,
  headers: json,
  body,
  statuses,
});

const huge = `{"message":"${'x'.repeat(10_000_000)}"}`;

const bodies: readonly Body[] = [
  typed('application/json', 200),
  typed('application/json; charset=utf-8', 200),
  typed('Application/JSON;charset="UTF-8"', 200),
  typed('application/json\t;\tcharset=utf-8', 200, 415),
  typed('application/json; version=1', 200, 415),
  typed('application/json; charset=utf-16', 400, 415),
  typed('application/jsonx', 415),
  typed('application/json, text/plain', 415),
  typed('application/vnd.api+json', 415),
  typed('application/x-www-form-urlencoded', 415),
  typed('multipart/form-data; boundary=x', 415),
  typed('text/plain', 415),
  typed('json', 415),
  typed('/', 415),
  typed('', 415),
  { name: 'no Content-Type', headers: {}, body: good, statuses: [415] },
  encoded('gzip', 'gzip', gzipSync(good), 200, 415),
  encoded('deflate', 'deflate', deflateSync(good), 200, 415),
  encoded('br', 'br', brotliCompressSync(good), 200, 415),
  encoded('gzip that inflates to 10 MB', 'gzip', gzipSync(huge), 413, 415),
  encoded('gzip that is none', 'gzip', good, 400, 415),
  encoded('gzip that is cut', 'gzip', gzipSync(good).subarray(0, 20), 400, 415),
  encoded('an encoding that nobody knows', 'rot13', good, 415),
  encoded('two encodings', 'gzip, gzip', gzipSync(gzipSync(good)), 415),
  plain('no body', '', 400),
  plain('not JSON', '{"message":', 400),
  plain('JSON and more', `${good}{}`, 400),
  plain('null', 'null', 400),
  plain('a string', '"x"', 400),
  plain('an array', '[]', 400),
  plain('a number for the message', '{"message":1}', 400),
  plain('one property too many', '{"message":"x","y":1}', 400),
  plain('__proto__ beside the message', '{"message":"x","__proto__":{"y":1}}', 400),
  plain('the message in __proto__', '{"__proto__":{"message":"x"}}', 400),
  plain('constructor', '{"message":"x","constructor":{"prototype":{"y":1}}}', 400),
  plain('arrays of depth 10,000', `${'['.repeat(10_000)}${']'.repeat(10_000)}`, 400),
  plain('objects of depth 10,000', `${'{"message":'.repeat(8_000)}1${'}'.repeat(8_000)}`, 400),
  plain('1,001 characters', `{"message":"${'x'.repeat(1001)}"}`, 400),
  plain('1,000 characters beyond the basic plane', `{"message":"${'😀'.repeat(1000)}"}`, 200),
  plain('101 kB', `{"message":"${'x'.repeat(101 * 1024)}"}`, 413),
  plain('bytes that are no UTF-8', Buffer.from('7b226d657373616765223a22ff227d', 'hex'), 400),
  plain('UTF-16', Buffer.from(good, 'utf16le'), 400),
];

/** Bodies that are not what the description wants. */
export const contentTypes: FaultCase = {
  id: 'content-types',
  async run(context: Context) {
    const service = await Service.start();
    const wrong: string[] = [];
    for (const { name, headers, body, statuses } of bodies) {
      const answer = await request(service.port, '/echo', { method: 'POST', headers, body });
      const validated = answer.status !== 200 || isMessage(JSON.parse(answer.body.toString()));
      const problem =
        answer.status === 200 || answer.headers.get('content-type') === 'application/problem+json';
      if (!statuses.includes(answer.status) || !validated || !problem)
        wrong.push(`${name}: ${answer.status}, not ${statuses.join(' or ')}`);
    }
    context.check(
      `${bodies.length} bodies to POST /echo`,
      `${wrong.length} wrong ${wrong.join('; ')}`,
      '400, 413 or 415 as problem+json, never unvalidated',
      wrong.length === 0,
    );
    await service.dispose();
  },
};

function isMessage(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const entries = Object.entries(value);
  return entries.length === 1 && entries[0]?.[0] === 'message' && typeof entries[0][1] === 'string';
}

const routes = [
  '/',
  '/hello/',
  '/echo',
  '/metrics',
  '/livez',
  '/readyz',
  '/docs',
  '/docs/',
  '/openapi.json',
  '/openapi.yaml',
];
const size = 10_000;
const limitMs = 5;
const hostile = [
  'a',
  '/',
  '//..',
  '%2e%2e%2f',
  '%00',
  '%ff',
  '%',
  '%25',
  '..;/',
  '\\',
  '*',
  '(a+)+',
  "'",
  '~',
  '.',
  ';a=b',
  '@',
  '{',
  'é',
].map((unit) => unit.repeat(Math.floor(size / unit.length)));
const queries = ['a=', '&', 'a[b]=1&', 'a=1&', '%', '__proto__[x]=1&', '[]', '+'].map(
  (unit) => `?${unit.repeat(Math.floor(size / unit.length))}`,
);

interface Answered {
  readonly ms: number;
  readonly status: number;
}

/** The quickest of up to fifty: a hostile input is slow each time, noise is not. */
async function quickest(service: Service, path: string, enoughMs: number): Promise<Answered> {
  let ms = Infinity;
  let status = 0;
  for (let n = 0; n < 50 && ms >= enoughMs; n += 1) {
    // A scrape that comes sooner waits for its turn.
    if (path.startsWith('/metrics')) await delay(1.5 * GATHERING_INTERVAL_MS);
    const at = performance.now();
    ({ status } = await request(service.port, path));
    ms = Math.min(ms, performance.now() - at);
  }
  return { ms, status };
}

/** Long paths and queries that make patterns backtrack. */
export const hostilePaths: FaultCase = {
  id: 'hostile-paths',
  async run(context: Context) {
    const service = await Service.start();
    let slowest = 0;
    let broken = false;
    // A scrape has its own cost, whatever its query is.
    const scrapeMs = (await quickest(service, '/metrics', limitMs)).ms;
    const wrong: string[] = [];
    const paths = routes.flatMap((route) => [...hostile, ...queries].map((end) => route + end));
    for (const path of paths) {
      const plainMs = path.startsWith('/metrics?') ? scrapeMs : 0;
      const { ms, status } = await quickest(service, path, plainMs + limitMs);
      slowest = Math.max(slowest, ms - plainMs);
      broken ||= status >= 500;
      if (ms - plainMs >= limitMs || status >= 500)
        wrong.push(`${path.slice(0, 30)}…: ${status} in ${ms.toFixed(1)} ms`);
    }
    context.checkSpeed(
      `${paths.length} paths and queries of 10 KB`,
      `slowest ${slowest.toFixed(1)} ms, ${wrong.length} too slow or 5xx ${wrong.slice(0, 5).join('; ')}`,
      '< 5 ms each, no 5xx',
      wrong.length === 0,
      !broken,
    );
    await service.dispose();
  },
};
