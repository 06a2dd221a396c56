import type { Context } from 'koa';
import type { ServiceContext } from '../../src/http/handler';
import { eventually } from '../support/eventually';
import { ServiceUnderTest, json, operation } from './service-under-test';

afterEach(() => ServiceUnderTest.closeAll());

const paths = { '/thing': { get: operation('thing') } };

test('what start makes reaches handlers and checks, and is stopped after the last answer', async () => {
  const order: string[] = [];
  const held: (() => void)[] = [];
  const service = await ServiceUnderTest.start({
    paths,
    start: async () => ({ pool: 'a pool' }),
    ready: { pool: ({ pool }: { pool: string }) => pool === 'a pool' },
    stop: ({ pool }: { pool: string }) => void order.push(`stopped ${pool}`),
    handlers: {
      thing: async (_request: unknown, ctx: ServiceContext) => {
        await new Promise<void>((resolve) => held.push(resolve));
        order.push('answered');
        return ctx.resources;
      },
    },
  });
  expect(json(await service.request('/readyz'))).toEqual({ status: 'ok', checks: { pool: 'ok' } });
  const answer = service.request('/thing');
  await eventually('the request is in progress', 5_000, () => service.metrics.inProgress === 1);
  const closed = service.close(5_000);
  held[0]?.();
  expect(json(await answer)).toEqual({ pool: 'a pool' });
  await closed;
  expect(order).toEqual(['answered', 'stopped a pool']);
});

test('a start that fails ends with one line', async () => {
  await expect(
    ServiceUnderTest.start({
      paths,
      start: () => Promise.reject(new Error('no route to the database')),
      handlers: { thing: () => 1 },
    }),
  ).rejects.toThrow('"start" of the service failed: no route to the database');
});

test.each<[string, () => unknown, string]>([
  ['throws', () => Promise.reject(new Error('gone')), 'gone'],
  ['gives false', () => false, 'gave false'],
  ['does not end', () => new Promise(() => {}), 'took longer than 2000 ms'],
])('a check that %s makes the service not ready, and it stays alive', async (_, check, reason) => {
  const service = await ServiceUnderTest.start({
    paths,
    handlers: { thing: () => 1 },
    ready: { broken: check, fine: () => undefined },
  });
  const answer = await service.request('/readyz');
  expect(answer.status).toBe(503);
  expect(json(answer)).toEqual({ status: 'failing', checks: { broken: 'failing', fine: 'ok' } });
  expect(service.log).toMatchObject([{ level: 40, failures: { broken: reason } }]);
  expect((await service.request('/livez')).status).toBe(200);
});

test('checks are asked once a second at most, however many ask', async () => {
  let asked = 0;
  const service = await ServiceUnderTest.start({
    paths,
    handlers: { thing: () => 1 },
    ready: { counted: () => (asked += 1) },
  });
  await Promise.all(Array.from({ length: 10 }, () => service.request('/readyz')));
  expect(asked).toBe(1);
});

test('draining wins over a /readyz of the user', async () => {
  let accepting = true;
  const service = await ServiceUnderTest.start({
    paths: { '/readyz': { get: operation('mine') } },
    handlers: { mine: () => 'yes' },
    accepting: () => accepting,
  });
  expect((await service.request('/readyz')).body.toString()).toBe('"yes"');
  accepting = false;
  expect((await service.request('/readyz')).status).toBe(503);
});

test('an event stream learns of the drain', async () => {
  const service = await ServiceUnderTest.start({
    paths,
    handlers: {
      thing: (_request: unknown, { draining }: ServiceContext) =>
        new Promise((resolve) => draining.addEventListener('abort', () => resolve('ended'))),
    },
  });
  const answer = service.request('/thing');
  await eventually('the request is in progress', 5_000, () => service.metrics.inProgress === 1);
  await service.close(5_000);
  expect((await answer).body.toString()).toBe('"ended"');
});

test("the service's own operations are there though the description lists none, and the user's own go before", async () => {
  const service = await ServiceUnderTest.start({
    paths: { ...paths, '/openapi.json': { get: operation('mine') } },
    handlers: { thing: () => 1, mine: () => 'my own' },
  });
  for (const path of ['/metrics', '/livez', '/readyz', '/docs', '/docs/start.js', '/openapi.yaml'])
    expect([path, (await service.request(path)).status]).toEqual([path, 200]);
  expect((await service.request('/openapi.json')).body.toString()).toBe('"my own"');
  const redirect = await service.request('/docs/');
  expect([redirect.status, redirect.headers.get('location')]).toEqual([308, '../docs']);
});

test('middleware after the routing knows the operation, runs before the body is read, and leaves health alone', async () => {
  const seen: unknown[] = [];
  const service = await ServiceUnderTest.start({
    paths,
    handlers: { thing: () => 1 },
    afterRouting: [
      (ctx: Context, next) => {
        seen.push(ctx['operation']);
        if (ctx.get('X-Quota') === 'none') ctx.throw(429, 'Enough.');
        return next();
      },
    ],
    env: { VALIDATE_RESPONSES: 'off' },
  });
  expect((await service.request('/thing')).status).toBe(200);
  expect((await service.request('/thing', { headers: { 'X-Quota': 'none' } })).status).toBe(429);
  expect((await service.request('/livez', { headers: { 'X-Quota': 'none' } })).status).toBe(200);
  expect(seen).toEqual([
    { id: 'thing', method: 'GET', path: '/thing' },
    { id: 'thing', method: 'GET', path: '/thing' },
  ]);
});

test('the lines of a request have its ids, and continue its trace', async () => {
  const service = await ServiceUnderTest.start({
    paths,
    handlers: {
      thing: (_request: unknown, { log }: ServiceContext) => {
        log.info('hello');
        throw new Error('no');
      },
    },
  });
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, 'X-Request-Id': 'mine' };
  await service.request('/thing', { headers });
  const [hello, failed] = service.log;
  expect(hello).toMatchObject({ msg: 'hello', requestId: 'mine', trace_id: traceId });
  expect(failed).toMatchObject({ msg: 'Request failed', requestId: 'mine', trace_id: traceId });
  expect(hello?.['span_id']).toMatch(/^[\da-f]{16}$/);
  expect(hello?.['span_id']).toBe(failed?.['span_id']);
});

test.each([
  ['a field that there is not', { middlewares: [] }, 'has a field "middlewares"'],
  ['a field of another type', { stop: 1 }, '"stop" of the service must be a function, and is a number'],
])('%s is refused by name', async (_, wrong, reason) => {
  await expect(
    ServiceUnderTest.start({ paths, handlers: { thing: () => 1 }, ...(wrong as object) }),
  ).rejects.toThrow(reason);
});

const accessLines = async (setting: string, path: string) => {
  const service = await ServiceUnderTest.start({
    paths: {
      ...paths,
      '/slow': { get: operation('slow', { 'x-slo': { latency: { threshold: 0.001 } } }) },
      '/bug': { get: operation('bug') },
    },
    handlers: {
      thing: () => ({ a: 1 }),
      slow: () => new Promise((resolve) => setTimeout(() => resolve(1), 5)),
      bug: () => Promise.reject(new Error('no')),
    },
    env: { ACCESS_LOG: setting },
  });
  await service.request(path);
  return service.log.filter(({ msg }) => msg === 'Request answered');
};

describe('the access log', () => {
  test('has a line with what was answered to whom', async () => {
    expect(await accessLines('on', '/thing')).toMatchObject([
      {
        level: 30,
        method: 'GET',
        endpoint: '/thing',
        status: 200,
        bytes: 7,
        requestId: expect.any(String) as string,
      },
    ]);
  });

  test.each([
    ['errors', '/thing', 0],
    ['errors', '/slow', 1],
    ['errors', '/bug', 1],
    ['off', '/bug', 0],
  ])('%s: %s has %d lines', async (setting, path, count) => {
    expect(await accessLines(setting, path)).toHaveLength(count);
  });
});
