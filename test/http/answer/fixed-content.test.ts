import type { IncomingMessage, ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import Koa from 'koa';
import request from 'supertest';
import { FixedContent } from '../../../src/http/answer/fixed-content';

const text = 'all the same, '.repeat(1_000);
const content = new FixedContent('text/plain; charset=utf-8', text);
const app = new Koa();
app.use(async (ctx) => {
  ctx.body = (await content.answer(ctx)) ?? null;
});
const callback = app.callback();

const get = (encoding: string, headers: Record<string, string> = {}) =>
  request((req: IncomingMessage, res: ServerResponse) => void callback(req, res))
    .get('/')
    .set({ 'Accept-Encoding': encoding, ...headers })
    .buffer(true)
    .parse((res, done) => {
      const parts: Buffer[] = [];
      res.on('data', (part: Buffer) => parts.push(part));
      res.on('end', () => done(null, Buffer.concat(parts)));
    });

test.each(['identity', '', 'gzip;q=0', 'br'])('is sent as it is to who accepts %j', async (encoding) => {
  const { headers, status } = await get(encoding);
  expect([status, headers['content-encoding'], headers['content-length']]).toEqual([
    200,
    undefined,
    String(text.length),
  ]);
  expect(headers['vary']).toContain('Accept-Encoding');
});

test('each form has its own entity tag, which stays the same and brings a 304', async () => {
  const tags = await Promise.all(
    ['identity', 'gzip', 'gzip'].map(async (encoding) => (await get(encoding)).headers),
  );
  const [plain, packed, again] = tags.map(({ etag }) => String(etag));
  expect(packed).not.toBe(plain);
  expect(again).toBe(packed);
  for (const [encoding, etag = ''] of [
    ['identity', plain],
    ['gzip', packed],
  ] as const) {
    const { status, headers } = await get(encoding, { 'If-None-Match': etag });
    expect([status, headers['etag'], headers['content-length']]).toEqual([304, etag, undefined]);
  }
  expect((await get('gzip', { 'If-None-Match': plain ?? '' })).status).toBe(200);
});

test('what is sent compressed is what there was', async () => {
  // supertest does not undo the encoding where the parser is the caller's.
  const { headers, body } = await get('br, gzip');
  expect(headers['content-encoding']).toBe('gzip');
  expect(Number(headers['content-length'])).toBeLessThan(1_000);
  const bytes = body as Buffer; // as the parser made it
  expect((bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString()).toBe(text);
});

test.each([
  ['text/plain', 'short'],
  ['image/png', 'x'.repeat(10_000)],
])('what would not become smaller is sent as it is (%s)', async (type, bytes) => {
  const small = new FixedContent(type, bytes);
  const other = new Koa();
  other.use(async (ctx) => {
    ctx.body = await small.answer(ctx);
  });
  const handle = other.callback();
  const { headers } = await request((req: IncomingMessage, res: ServerResponse) => void handle(req, res))
    .get('/')
    .set('Accept-Encoding', 'gzip');
  expect(headers['content-encoding']).toBeUndefined();
});
