import { Readable } from 'node:stream';
import type { Context, Middleware } from 'koa';
import { Problem } from '../../../src/http/problem';
import { ServiceUnderTest, json } from '../service-under-test';

const item = {
  type: 'object',
  properties: { at: { type: 'string', format: 'date-time' }, n: { type: 'integer' } },
  required: ['at'],
  additionalProperties: false,
};
const content = (schema: object, type = 'application/json') => ({ content: { [type]: { schema } } });
const operation = (operationId: string, responses: object) => ({ get: { operationId, responses } });
const at = new Date(0);

const responses = {
  200: { description: 'An item.', ...content(item) },
  202: { description: 'Nothing yet.' },
  '3XX': { description: 'Elsewhere.', headers: { Location: { required: true, schema: { type: 'string' } } } },
  404: { description: 'No item.', ...content({}, 'application/problem+json') },
};

afterEach(() => ServiceUnderTest.closeAll());

async function answering(
  handler: (request: unknown, ctx: Context) => unknown,
  env: Readonly<Record<string, string>> = {},
  middleware: Middleware[] = [],
) {
  const service = await ServiceUnderTest.start({
    paths: {
      '/item': operation('item', responses),
      '/text': operation('text', {
        200: { description: 'Text.', ...content({ type: 'string', maxLength: 3 }, 'text/*') },
      }),
      '/created': operation('created', {
        201: { description: 'Made.', ...content({ type: ['string', 'null'] }) },
      }),
      '/empty': operation('empty', { 204: { description: 'Done.' } }),
    },
    handlers: { item: handler, text: handler, created: handler, empty: handler },
    env,
    middleware,
  });
  return service;
}

async function answer(path: string, handler: (request: unknown, ctx: Context) => unknown) {
  const service = await answering(handler);
  const found = await service.request(path);
  return { ...found, text: found.body.toString(), log: service.log };
}

describe('an answer that fits the description is sent', () => {
  test.each<[string, string, (request: unknown, ctx: Context) => unknown, number, string]>([
    ['a value', '/item', () => ({ at }), 200, '{"at":"1970-01-01T00:00:00.000Z"}'],
    [
      'a promise',
      '/item',
      () => Promise.resolve({ at, n: undefined }),
      200,
      '{"at":"1970-01-01T00:00:00.000Z"}',
    ],
    [
      'a body set on ctx',
      '/item',
      (_, ctx) => void (ctx.body = { at }),
      200,
      '{"at":"1970-01-01T00:00:00.000Z"}',
    ],
    ['a stream', '/item', () => Readable.from(['{', '}']), 200, '{}'],
    [
      'encoded JSON',
      '/item',
      () => Buffer.from(JSON.stringify({ at })),
      200,
      '{"at":"1970-01-01T00:00:00.000Z"}',
    ],
    ['another status', '/item', (_, ctx) => void (ctx.status = 202), 202, ''],
    ['a status of a range', '/item', (_, ctx) => ctx.redirect('/a'), 302, 'Redirecting to /a.'],
    ['text', '/text', (_, ctx) => ((ctx.type = 'text/csv'), 'a,b'), 200, 'a,b'],
    ['the success that is described', '/created', () => 'text', 201, '"text"'],
    ['null', '/created', () => null, 201, 'null'],
    ['nothing', '/empty', () => undefined, 204, ''],
  ])('%s', async (_, path, handler, status, text) => {
    const found = await answer(path, handler);
    expect(found).toMatchObject({ status, text, log: [] });
  });
});

const told = (path: string, reason: string) => `Operation "${path.slice(1)}" answers ${reason}`;

describe('an answer that the description does not have is a 500 that names the operation in the log', () => {
  test.each<[string, string, (request: unknown, ctx: Context) => unknown, string]>([
    [
      'a fault in the body',
      '/item',
      () => ({ at: 'now' }),
      '200 but "/at" of the body must match format "date-time"',
    ],
    ['a missing property', '/item', () => ({}), '200 but "/at" of the body is required'],
    [
      'a property too many',
      '/item',
      () => ({ at, secret: 1 }),
      '200 but "/secret" of the body is not allowed',
    ],
    ['a fault in encoded JSON', '/item', () => Buffer.from('{}'), '200 but "/at" of the body is required'],
    [
      'another status',
      '/item',
      (_, ctx) => ((ctx.status = 201), { at }),
      '201 but its description has no such status',
    ],
    [
      'another type',
      '/item',
      (_, ctx) => ((ctx.type = 'text/plain'), 'a'),
      '200 but with the type "text/plain',
    ],
    [
      'a body where there is none',
      '/item',
      (_, ctx) => ((ctx.status = 202), { at }),
      '202 but its description has no content',
    ],
    ['a missing header', '/item', (_, ctx) => void (ctx.status = 304), '304 but without the header Location'],
    [
      'text that is too long',
      '/text',
      (_, ctx) => ((ctx.type = 'text/csv'), 'a,b,c'),
      '200 but "" of the body must NOT have',
    ],
    [
      'a problem that is not described',
      '/item',
      () => {
        throw new Problem(409, 'No.');
      },
      '409 but its description has no such status',
    ],
  ])('%s', async (_, path, handler, reason) => {
    const found = await answer(path, handler);
    expect(found.status).toBe(500);
    expect(found.text).not.toContain(reason);
    expect(found.log).toMatchObject([
      { err: { message: expect.stringContaining(told(path, reason)) as string } },
    ]);
  });
});

test('a problem that is described is sent', async () => {
  const found = await answer('/item', () => {
    throw new Problem(404, 'No such item.');
  });
  expect(found).toMatchObject({ status: 404, log: [] });
});

const elsewhere = (_: unknown, ctx: Context) => void (ctx.status = 304);

/** Makes a middleware that sets a header when the answer of the operation is there. */
function setting(header: string): Middleware {
  return async (ctx, next) => {
    ctx.set('X-Before', 'stays');
    await next();
    ctx.set(header, '/elsewhere');
  };
}

test('a required header may come from a middleware that has passed the request on', async () => {
  const set = await answering(elsewhere, {}, [setting('Location')]);
  expect(await set.request('/item')).toMatchObject({ status: 304 });
  expect(set.log).toEqual([]);
});

test('a required header that no middleware has set either is a 500, which keeps what was set before', async () => {
  const service = await answering(elsewhere, {}, [setting('X-After')]);
  const { status, headers } = await service.request('/item');
  expect([status, headers.get('x-before'), headers.get('x-after')]).toEqual([500, 'stays', undefined]);
  expect(service.counted).toEqual([['/item', 500]]);
});

const slowly = () => new Promise((resolve) => setImmediate(resolve, { at }));

test('an answer that comes after that of a middleware which has not awaited it is told as that', async () => {
  let late: unknown;
  const forgetful: Middleware = (_, next) => {
    late = next().catch((error: unknown) => error);
  };
  await (await answering(slowly, {}, [forgetful])).request('/item');
  expect(String(await late)).toContain('The answer of operation "item" came after another was sent');
});

test('a header is not required of an answer that a middleware has replaced', async () => {
  const replacing: Middleware[] = [(ctx, next) => next().then(() => (ctx.status = 202))];
  expect(await (await answering(elsewhere, {}, replacing)).request('/item')).toMatchObject({ status: 202 });
});

test('is not checked with VALIDATE_RESPONSES=off', async () => {
  const service = await answering(() => ({ at: 'now' }), { VALIDATE_RESPONSES: 'off' });
  expect(json(await service.request('/item'))).toEqual({ at: 'now' });
});
