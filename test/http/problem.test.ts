import { PassThrough, Readable } from 'node:stream';
import type { Context } from 'koa';
import { notImplemented } from '../../src/http/not-implemented';
import { Problem } from '../../src/http/problem';
import { rawExchange } from '../support/exchange';
import { ServiceUnderTest, json, operation } from './service-under-test';

const LARGE = 'x'.repeat(5_000_000);
const SECRET = 'a secret of the inside';

async function* failing(): AsyncGenerator<string> {
  yield 'a part';
  await Promise.resolve();
  throw new Error(SECRET);
}

const handlers: Record<string, (request: unknown, ctx: Context) => unknown> = {
  bug: () => {
    throw new Error(SECRET);
  },
  lateBug: () => Promise.reject(new Error(SECRET)),
  noError: () => {
    throw SECRET;
  },
  circular: () => {
    const value: Record<string, unknown> = {};
    value['self'] = value;
    return value;
  },
  nothing: () => undefined,
  gone: () => {
    throw new Problem(410, 'It is gone for good.', { headers: { 'Retry-After': '1' } });
  },
  busy: () => {
    throw new Problem(503, 'Come back later.', { cause: new Error(SECRET) });
  },
  unwritten: (_, ctx) => notImplemented(ctx),
  thrown: (_, ctx) => ctx.throw(409, 'Somebody else was first.'),
  thrownInside: (_, ctx) => ctx.throw(502, SECRET),
  halfDone: (_, ctx) => {
    ctx.set({ 'Cache-Control': 'max-age=60', ETag: '"1"', 'Content-Encoding': 'br' });
    ctx.status = 201;
    ctx.body = 'almost';
    throw new Problem(400, 'Not so.');
  },
  ownWords: (_, ctx) => {
    ctx.respond = false;
    ctx.res.write('half of it');
    throw new Error(SECRET);
  },
  ended: async (_, ctx) => {
    ctx.respond = false;
    ctx.res.end(LARGE);
    await Promise.resolve();
    throw new Error(SECRET);
  },
  stream: () => Readable.from(failing()),
  deadStream: () => {
    const stream = new PassThrough();
    stream.destroy(new Error(SECRET));
    return stream;
  },
};

let service: ServiceUnderTest;

beforeAll(async () => {
  const paths = Object.keys(handlers).map((id) => [`/${id}`, { get: operation(id) }]);
  // Answers are not checked: undeclared ones would all become a 500.
  service = await ServiceUnderTest.start({
    paths: Object.fromEntries(paths) as object,
    handlers,
    env: { VALIDATE_RESPONSES: 'off' },
  });
});

afterAll(() => ServiceUnderTest.closeAll());

beforeEach(() => service.log.splice(0));

describe('a bug', () => {
  test.each(['bug', 'lateBug', 'noError', 'circular', 'nothing', 'deadStream'])(
    '(%s) is a bare 500 with the request id under which the log has all of it',
    async (id) => {
      const answer = await service.request(`/${id}`);
      const requestId = answer.headers.get('x-request-id');
      expect(answer.status).toBe(500);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(json(answer)).toEqual({
        type: 'about:blank',
        title: 'Internal Server Error',
        status: 500,
        detail: 'The service failed. Its log has more under this request id.',
        requestId,
      });
      expect(service.log).toMatchObject([{ level: 50, requestId, msg: 'Request failed' }]);
      expect(service.log[0]).toHaveProperty('err');
    },
  );

  test('is logged with its stack', async () => {
    await service.request('/lateBug');
    expect(service.log).toMatchObject([
      { err: { message: SECRET, stack: expect.stringContaining('problem.test') as string } },
    ]);
  });
});

test('a problem is what the client is told', async () => {
  const answer = await service.request('/gone');
  expect(answer.headers.get('retry-after')).toBe('1');
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(json(answer)).toEqual({
    type: 'about:blank',
    title: 'Gone',
    status: 410,
    detail: 'It is gone for good.',
  });
  expect(service.log).toEqual([]);
});

test('a problem of the service is in the log, with its cause', async () => {
  const answer = await service.request('/busy');
  expect(answer.status).toBe(503);
  expect(answer.body.toString()).not.toContain(SECRET);
  expect(json(answer)['requestId']).toBe(answer.headers.get('x-request-id'));
  expect(JSON.stringify(service.log)).toContain(SECRET);
});

test('an operation that is not implemented yet has not failed', async () => {
  expect((await service.request('/unwritten')).status).toBe(501);
  expect(service.log).toEqual([]);
});

test('what ctx.throw throws for the client is a problem', async () => {
  expect(json(await service.request('/thrown'))).toMatchObject({
    status: 409,
    detail: 'Somebody else was first.',
  });
});

test('nothing is left of the answer that was begun', async () => {
  const answer = await service.request('/halfDone');
  expect(answer.status).toBe(400);
  expect(answer.headers.has('cache-control')).toBe(false);
  expect(answer.headers.has('etag')).toBe(false);
  expect(answer.headers.has('content-encoding')).toBe(false);
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  expect(answer.headers.has('x-request-id')).toBe(true);
  expect(json(answer)['detail']).toBe('Not so.');
});

test.each([
  ['stream', 'a part'],
  ['ownWords', 'half of it'],
])('an answer that fails half-way (%s) is cut off, not ended, and logged', async (id, part) => {
  const { text, malformed } = await rawExchange(service.port, `GET /${id} HTTP/1.1\r\nHost: a\r\n\r\n`);
  expect(text).toContain(part);
  expect(malformed).toBeDefined();
  expect(service.log).toMatchObject([{ level: 50, err: { message: SECRET } }]);
});

test('an error after the end of an answer is logged, and does not cut it off', async () => {
  expect(String((await service.request('/ended')).body)).toHaveLength(LARGE.length);
  expect(service.log).toMatchObject([{ level: 50, err: { message: SECRET } }]);
});

const idOf = async (given?: string) => {
  const answer = await service.request('/nowhere', {
    headers: given === undefined ? {} : { 'X-Request-Id': given },
  });
  return answer.headers.get('x-request-id');
};

describe('the request id', () => {
  test.each(['a', 'a-b_c.1:2/3=', '~'.repeat(128)])('%s is honoured', async (given) => {
    expect(await idOf(given)).toBe(given);
  });

  test.each(['', 'a b', 'é', 'a\tb', 'a'.repeat(129)])('%j is replaced', async (given) => {
    expect(await idOf(given)).toMatch(/^[\w-]{12,}-\d+$/);
  });

  test('is another one for each request', async () => {
    expect(await idOf()).not.toBe(await idOf());
  });
});
