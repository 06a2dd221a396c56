import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { Middleware } from 'koa';
import bodyParser from 'koa-bodyparser';
import { rawExchange } from '../../support/exchange';
import { ServiceUnderTest, json, operation } from '../service-under-test';

afterAll(() => ServiceUnderTest.closeAll());

const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };

/** Starts a service, with this middleware, whose operation takes bodies of all kinds. */
const served = (middleware: Middleware, at: 'middleware' | 'afterRouting' = 'middleware') =>
  ServiceUnderTest.start({
    paths: {
      '/': {
        post: operation('take', {
          requestBody: {
            required: true,
            content: {
              'application/json': { schema },
              'application/x-www-form-urlencoded': { schema },
              'multipart/form-data': { schema },
              'text/plain': { schema: { type: 'string', minLength: 1 } },
              'application/octet-stream': {},
            },
          },
        }),
      },
    },
    handlers: {
      take: async ({ body }: { body: Readable | object }) =>
        typeof body === 'object' && 'pipe' in body ? text(body) : body,
    },
    [at]: [middleware],
  });

const send = async (
  service: ServiceUnderTest,
  type: string,
  body: string | Buffer,
  headers: Record<string, string> = {},
) => {
  const answer = await service.request('/', {
    method: 'POST',
    body,
    headers: { 'Content-Type': type, ...headers },
  });
  return [answer.status, json(answer)['errors'] ?? JSON.parse(answer.body.toString())] as const;
};

const FORM = 'application/x-www-form-urlencoded';

test('a body that koa-bodyparser has read is validated and served', async () => {
  const service = await served(bodyParser());
  const gzip = { 'Content-Encoding': 'gzip' };
  expect(await send(service, 'application/json', '{"n":1}')).toEqual([200, { n: 1 }]);
  expect(await send(service, 'application/json', gzipSync('{"n":1}'), gzip)).toEqual([200, { n: 1 }]);
  const chunks =
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n' +
    '7\r\n{"n":1}\r\n0\r\n\r\n';
  const { answers } = await rawExchange(service.port, chunks, { answers: 1 });
  expect(answers.map(({ status }) => status)).toEqual([200]);
  expect(await send(service, FORM, 'n=1')).toEqual([200, { n: 1 }]);
  expect(await send(service, 'application/json', '{"n":"1"}')).toMatchObject([400, [{ path: '/n' }]]);
  expect(await send(service, FORM, 'n=x')).toMatchObject([400, [{ path: '/n' }]]);
});

test('a JSON body that a middleware has changed after koa-bodyparser is validated and served', async () => {
  const parse = bodyParser();
  const service = await served((ctx, next) =>
    parse(ctx, () => {
      const { body, rawBody } = ctx.request as { body: Record<string, unknown>; rawBody?: string };
      if (rawBody?.includes('admin')) delete body['admin'];
      if (rawBody?.includes('wrong')) Object.assign(ctx.request, { body: { n: 'wrong' } });
      return next();
    }),
  );
  const type = 'application/json';
  expect(await send(service, type, '{"n":1,"admin":true}')).toEqual([200, { n: 1 }]);
  expect(await send(service, type, '{"n":1,"x":"wrong"}')).toMatchObject([400, [{ path: '/n' }]]);
  expect(await send(service, type, '{"n":1e0, "x":[-0]}')).toEqual([200, { n: 1, x: [0] }]);
  expect(await send(service, type, '')).toMatchObject([400, [{ path: '', message: 'is required' }]]);
});

test('a body that koa-bodyparser has left is read', async () => {
  const service = await served(bodyParser());
  expect(await send(service, 'text/plain', 'abc')).toEqual([200, 'abc']);
  expect(await send(service, 'text/plain', gzipSync('abc'), { 'Content-Encoding': 'gzip' })).toEqual([
    200,
    'abc',
  ]);
  expect(await send(service, 'application/octet-stream', 'abc')).toEqual([200, 'abc']);
});

test('a body that a middleware has read and left in rawBody is served, of any kind', async () => {
  const service = await served(async (ctx, next) => {
    const parts: Buffer[] = [];
    for await (const part of ctx.req) parts.push(part as Buffer);
    Object.assign(ctx.request, { rawBody: Buffer.concat(parts) });
    await next();
  }, 'afterRouting');
  const part = '--B\r\nContent-Disposition: form-data; name="n"\r\n\r\n1\r\n--B--\r\n';
  expect(await send(service, 'multipart/form-data; boundary=B', part)).toEqual([200, { n: 1 }]);
  expect(await send(service, 'application/octet-stream', 'abc')).toEqual([200, 'abc']);
  expect(await send(service, 'text/plain', '')).toMatchObject([400, [{ path: '' }]]);
});

test.each([
  ['application/json', '{"n":1}', {}],
  ['application/json', gzipSync('{"n":1}'), { 'Content-Encoding': 'gzip' }],
  [FORM, 'n=1', {}],
  ['text/plain', 'abc', {}],
  ['application/octet-stream', 'abc', {}],
  ['multipart/form-data; boundary=B', '--B\r\n', {}],
])(
  'a body of type %s that a middleware has read and left nowhere is a 500, which the log explains',
  async (...sent) => {
    const service = await served(async ({ req }, next) => {
      for await (const part of req) expect(part).toBeDefined();
      await next();
    });
    const [type, body, headers] = sent;
    expect((await send(service, type, body, headers))[0]).toBe(500);
    expect(service.log).toContainEqual(
      expect.objectContaining({
        err: expect.objectContaining({
          message: expect.stringContaining('middleware has read the body') as unknown,
        }) as unknown,
      }),
    );
  },
);
