import type { Context } from 'koa';
import { ServiceUnderTest, operation } from './service-under-test';

afterEach(() => ServiceUnderTest.closeAll());

/** As in production, where answers are not checked and most of them are sent past Koa. */
async function answer(handler: (request: unknown, ctx: Context) => unknown) {
  const service = await ServiceUnderTest.start({
    paths: { '/': { get: operation('thing') } },
    handlers: { thing: handler },
    env: { VALIDATE_RESPONSES: 'off' },
  });
  return service.request('/');
}

test('a value is sent as JSON', async () => {
  const { headers, body } = await answer(() => ({ a: 1 }));
  expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(body.toString()).toBe('{"a":1}');
});

test('the type that a handler sets is the one of its answer', async () => {
  const { headers, body } = await answer((_request, ctx) => {
    ctx.type = 'application/vnd.thing+json';
    return { a: 1 };
  });
  expect(headers.get('content-type')).toBe('application/vnd.thing+json');
  expect(body.toString()).toBe('{"a":1}');
});

test.each([204, 205, 304])('a %d has no content, whatever its handler returns', async (status) => {
  const { headers, body, ...found } = await answer((_request, ctx) => {
    ctx.status = status;
    return { a: 1 };
  });
  expect(found.status).toBe(status);
  expect(headers.has('content-type')).toBe(false);
  expect(headers.has('content-length')).toBe(false);
  expect(body.toString()).toBe('');
});
