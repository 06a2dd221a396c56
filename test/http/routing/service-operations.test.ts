import type { Context } from 'koa';
import { pino } from 'pino';
import { readConfig } from '../../../src/config';
import { loadContract } from '../../../src/http/routing/contract';
import { createRouter } from '../../../src/http/routing/router';
import { RequestMetrics } from '../../../src/metrics/request-metrics';
import { checkDescription } from '../../../src/openapi/compile-description';
import { isServiceOperation } from '../../../src/openapi/operations/service-operations';
import { ServiceUnderTest, describeApi, json, operation } from '../service-under-test';

afterEach(() => ServiceUnderTest.closeAll());

const id = { name: 'id', in: 'path', required: true, schema: { type: 'string' } };
const described = (method: string, operationId: string, more: object = {}) => ({
  [method]: operation(operationId, more),
});
const own = (result: string) => () => ({ result });
const gather = () => Promise.resolve(Buffer.from('exposition'));

describe('an operation that is only called as one of the service is the user’s', () => {
  const paths = {
    '/orders/{id}/status': described('get', 'status', { parameters: [id] }),
    '/reports/metrics': described('post', 'metrics'),
    '/library/docs': described('get', 'docs'),
  };
  const handlers = { status: own('shipped'), metrics: own('written'), docs: own('read') };

  test('and is answered by its handler, beside those of the service', async () => {
    const service = await ServiceUnderTest.start({ paths, handlers, gather });
    expect(json(await service.request('/orders/5/status'))).toEqual({ result: 'shipped' });
    expect(json(await service.request('/reports/metrics', { method: 'POST' }))).toEqual({
      result: 'written',
    });
    expect(json(await service.request('/library/docs'))).toEqual({ result: 'read' });
    expect((await service.request('/metrics')).body.toString()).toBe('exposition');
    expect((await service.request('/docs')).headers.get('content-type')).toContain('text/html');
  });

  test.each(Object.keys(handlers))('and needs one: %s', async (missing) => {
    const others = Object.fromEntries(Object.entries(handlers).filter(([name]) => name !== missing));
    await expect(ServiceUnderTest.start({ paths, handlers: others })).rejects.toThrow(
      `operation "${missing}" has no handler`,
    );
  });

  test('and is foreseen apart from that of the service', async () => {
    const { metrics } = await ServiceUnderTest.start({ paths, handlers });
    const foreseen = metrics.foreseen.map(({ method, endpoint }) => `${method} ${endpoint}`);
    expect(foreseen).toEqual(expect.arrayContaining(['POST /reports/metrics', 'GET /metrics']));
  });
});

describe('the operations of the service are there', () => {
  test('where the description has their paths below that of a server', async () => {
    const service = await ServiceUnderTest.start({
      paths: { '/metrics': described('get', 'listMetrics'), '/docs': described('get', 'listDocs') },
      root: { servers: [{ url: '/v1' }] },
      handlers: { listMetrics: own('metrics'), listDocs: own('docs') },
      gather,
    });
    expect(json(await service.request('/v1/metrics'))).toEqual({ result: 'metrics' });
    expect(json(await service.request('/v1/docs'))).toEqual({ result: 'docs' });
    expect((await service.request('/metrics')).body.toString()).toBe('exposition');
    expect((await service.request('/docs')).headers.get('content-type')).toContain('text/html');
  });

  test('not beside one of them that is listed below the path of a server, whose security they would lack', async () => {
    const service = await ServiceUnderTest.start({
      paths: { '/metrics': described('get', 'metrics') },
      root: { servers: [{ url: '/v1' }] },
      gather,
    });
    expect((await service.request('/v1/metrics')).body.toString()).toBe('exposition');
    expect((await service.request('/metrics')).status).toBe(404);
  });

  test('beside other methods of the same paths, each counted under its own template', async () => {
    const service = await ServiceUnderTest.start({
      paths: {
        '/docs/{id}': {
          parameters: [id],
          ...described('put', 'put'),
          ...described('delete', 'remove'),
        },
      },
      handlers: { put: (request: object) => request, remove: (request: object) => request },
    });
    for (const method of ['PUT', 'DELETE'])
      expect(json(await service.request('/docs/5', { method }))).toMatchObject({ path: { id: '5' } });
    expect((await service.request('/docs/swagger-ui.css')).status).toBe(200);
    const refused = await service.request('/docs/5', { method: 'POST' });
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'PUT, DELETE, GET, HEAD, OPTIONS']);
    expect(service.counted).toEqual([
      ['/docs/{id}', 200],
      ['/docs/{id}', 200],
      ['/docs/{asset}', 200],
      ['/docs/{id}', 405],
    ]);
  });
});

test('only a GET of one of the paths is an operation of the service', () => {
  const { operations } = checkDescription(
    describeApi({
      '/metrics': { ...described('get', 'metrics'), ...described('post', 'status') },
      '/docs/{file}': described('get', 'docsAsset', { parameters: [{ ...id, name: 'file' }] }),
      '/readyz': described('get', 'livez'),
      '/live': described('get', 'docs'),
    }),
  );
  expect(operations.filter(isServiceOperation).map((each) => each.id)).toEqual(['metrics', 'docsAsset']);
});

test('what is served under overload is decided by the path, not by the name', () => {
  const handlers = { status: own('shipped') };
  const description = describeApi({
    '/orders/{id}/status': described('get', 'status', { parameters: [id] }),
  });
  const router = createRouter({
    contract: loadContract({ description, handlers }),
    metrics: new RequestMetrics([1]),
    config: readConfig({}),
    log: pino({ enabled: false }),
    gather,
    accepting: () => true,
    readiness: () => Promise.resolve({}),
  });
  const isEssential = (url: string) =>
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- all that the router reads
    router.find({ req: { url, method: 'GET' }, res: { measurement: {} } } as unknown as Context).essential;
  expect(['/orders/5/status', '/readyz', '/docs'].map(isEssential)).toEqual([false, true, false]);
});
