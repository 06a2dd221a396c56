import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import type { Middleware } from 'koa';
import { ServiceUnderTest, json, operation } from './service-under-test';

// The packages are JavaScript, or have types of another Koa: this test finds out what they really are.
const load = (name: string): ((...options: unknown[]) => Middleware) => {
  const loaded = require(name) as { default?: (...options: unknown[]) => Middleware } & ((
    ...options: unknown[]
  ) => Middleware);
  return loaded.default ?? loaded;
};
const cors = load('@koa/cors');
const compress = load('koa-compress');
const session = load('koa-session');
const etag = load('koa-etag');
const conditional = load('koa-conditional-get');
const serveStatic = load('koa-static');
const ratelimit = load('koa-ratelimit');
const helmet = load('koa-helmet');

const folder = mkdtempSync(join(tmpdir(), 'static-'));
writeFileSync(join(folder, 'file.txt'), 'a file');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => ServiceUnderTest.closeAll());

const text = 'x'.repeat(5_000);

function serving(...middleware: Middleware[]) {
  return ServiceUnderTest.start({
    paths: {
      '/thing': { get: operation('thing'), put: operation('putThing') },
      '/bug': { get: operation('bug') },
      '/file.txt': { post: operation('postFile') },
    },
    handlers: {
      thing: () => ({ text }),
      putThing: () => ({ text }),
      bug: () => {
        throw new Error('no');
      },
      postFile: () => 1,
    },
    middleware,
  });
}

test('@koa/cors answers a preflight and marks every answer, a 500 too', async () => {
  const service = await serving(cors());
  const headers = { Origin: 'https://example.org', 'Access-Control-Request-Method': 'PUT' };
  const preflight = await service.request('/thing', { method: 'OPTIONS', headers });
  expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*']);
  for (const [path, status] of [
    ['/thing', 200],
    ['/bug', 500],
    ['/nothing', 404],
  ] as const) {
    const answer = await service.request(path, { headers });
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([status, '*']);
  }
  expect(service.counted).toEqual([
    ['/thing', 204],
    ['/thing', 200],
    ['/bug', 500],
    ['unmatched', 404],
  ]);
});

test('koa-compress compresses', async () => {
  const service = await serving(compress({ br: false }));
  const answer = await service.request('/thing', { headers: { 'Accept-Encoding': 'gzip' } });
  expect(answer.headers.get('content-encoding')).toBe('gzip');
  expect(JSON.parse(gunzipSync(answer.body).toString())).toEqual({ text });
  const failed = await service.request('/bug', { headers: { 'Accept-Encoding': 'gzip' } });
  expect([failed.status, failed.headers.get('content-encoding')]).toEqual([500, undefined]);
  expect(service.counted).toEqual([
    ['/thing', 200],
    ['/bug', 500],
  ]);
});

const countViews: Middleware = async (ctx, next) => {
  (ctx['session'] as Record<string, unknown>)['views'] = 1;
  await next();
};

test('koa-session keeps its cookie', async () => {
  // The app is needed only for the prototype of contexts, as the package's documentation says.
  let install: Middleware | undefined;
  const lazy: Middleware = (ctx, next) => {
    ctx.app.keys = ['secret'];
    install ??= session({ signed: false }, ctx.app);
    return install(ctx, next);
  };
  const service = await serving(lazy, countViews);
  const answer = await service.request('/thing');
  expect([answer.status, service.log]).toEqual([200, []]);
  expect(answer.headers.get('set-cookie')).toContain('koa.sess=');
  expect(service.counted).toEqual([['/thing', 200]]);
});

test('koa-helmet sets its headers', async () => {
  const service = await serving(helmet());
  const answer = await service.request('/thing');
  expect(answer.headers.get('x-frame-options')).toBe('SAMEORIGIN');
  expect(service.counted).toEqual([['/thing', 200]]);
});

test('koa-etag with koa-conditional-get makes a 304', async () => {
  const service = await serving(conditional(), etag());
  const full = await service.request('/thing');
  expect(json(full)).toEqual({ text });
  const headers = { 'If-None-Match': full.headers.get('etag') ?? '' };
  const unchanged = await service.request('/thing', { headers });
  expect([unchanged.status, unchanged.body.length]).toEqual([304, 0]);
  expect(service.counted).toEqual([
    ['/thing', 200],
    ['/thing', 304],
  ]);
});

test('koa-static serves a file, which is counted under the template that its path matches', async () => {
  const service = await serving(serveStatic(folder));
  expect((await service.request('/file.txt')).body.toString()).toBe('a file');
  expect((await service.request('/thing')).status).toBe(200);
  expect(service.counted).toEqual([
    ['/file.txt', 200],
    ['/thing', 200],
  ]);
});

test('koa-ratelimit answers 429', async () => {
  const db = new Map();
  const service = await serving(ratelimit({ driver: 'memory', db, duration: 60_000, max: 1 }));
  expect((await service.request('/thing')).status).toBe(200);
  const refused = await service.request('/thing');
  expect([refused.status, refused.headers.has('retry-after')]).toEqual([429, true]);
  expect(service.counted).toEqual([
    ['/thing', 200],
    ['/thing', 429],
  ]);
});

test.each<[string, Middleware, number, string]>([
  ['answers by itself', (ctx) => void (ctx.body = 'mine'), 200, 'mine'],
  [
    'answers past Koa',
    (ctx) => {
      ctx.respond = false;
      ctx.res.end('raw');
    },
    404,
    'raw',
  ],
  ['throws', (ctx) => ctx.throw(418, 'tea'), 418, 'tea'],
  ['does not await', (_ctx, next) => void next(), 200, text],
  ['returns a promise of its own', (ctx, next) => next().then(() => ctx.set('X-Then', 'yes')), 200, text],
  [
    'replaces the body by a stream',
    async (ctx, next) => {
      await next();
      ctx.body = Readable.from([JSON.stringify(ctx.body)]);
    },
    200,
    text,
  ],
  [
    'changes the status after next()',
    async (ctx, next) => {
      await next();
      ctx.status = 202;
    },
    202,
    text,
  ],
])(
  'a middleware that %s does what it does in any Koa app, and is counted once',
  async (_, middleware, status, body) => {
    const service = await serving(middleware);
    const answer = await service.request('/thing');
    expect(answer.status).toBe(status);
    expect(answer.body.toString()).toContain(body);
    expect(service.counted).toEqual([['/thing', status]]);
    expect(service.metrics.inProgress).toBe(0);
  },
);
