import { RequestMetrics } from '../../../src/metrics/request-metrics';
import { ServiceUnderTest } from '../service-under-test';

afterEach(() => ServiceUnderTest.closeAll());

const ok = { description: 'ok' };
const handlers = { plain: () => undefined, read: () => undefined, write: () => undefined };
const body = { content: { 'application/json': { schema: { type: 'object' } } } };
const parameters = [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }];
const paths = {
  '/plain': { get: { operationId: 'plain', responses: { 204: ok, 404: ok, '4XX': ok, default: ok } } },
  '/things/{id}': {
    get: { operationId: 'read', parameters, responses: { 204: ok, 304: ok } },
    put: { operationId: 'write', parameters, requestBody: body, responses: { 204: ok, 503: ok } },
  },
};

const workers = () => Promise.resolve(Buffer.from('[]'));

async function foreseen(env: Record<string, string> = {}): Promise<RequestMetrics['foreseen']> {
  const service = await ServiceUnderTest.start({ paths, handlers, env });
  return service.metrics.foreseen;
}

test('an operation has what it declares, and what the service answers for it', async () => {
  expect((await foreseen()).slice(0, 3)).toEqual([
    { method: 'GET', endpoint: '/plain', statuses: [204, 404, 500, 503] },
    { method: 'GET', endpoint: '/things/{id}', statuses: [204, 304, 400, 500, 503] },
    { method: 'PUT', endpoint: '/things/{id}', statuses: [204, 503, 400, 413, 415, 500] },
  ]);
});

test('an operation of the service that the description does not list has the usual statuses', async () => {
  const usual = [200, 500, 503];
  expect(await foreseen()).toEqual(
    expect.arrayContaining([
      { method: 'GET', endpoint: '/readyz', statuses: usual },
      { method: 'GET', endpoint: '/livez', statuses: usual },
    ]),
  );
});

test('nothing is foreseen with METRICS_ZEROS=off', async () => {
  expect(await foreseen({ METRICS_ZEROS: 'off' })).toEqual([]);
});

test('an operation of the service that is switched off is not foreseen', async () => {
  const own = await ServiceUnderTest.start({ env: { DOCS: 'off', METRICS_PORT: '1' } });
  const endpoints = own.metrics.foreseen.map(({ endpoint }) => endpoint);
  expect(endpoints).toEqual(expect.arrayContaining(['/', '/hello/{name}', '/echo']));
  for (const off of ['/docs', '/metrics', '/openapi.json']) expect(endpoints).not.toContain(off);
});

test('the operation that may want a token is foreseen to refuse', async () => {
  const own = await ServiceUnderTest.start();
  const metrics = own.metrics.foreseen.find(({ endpoint }) => endpoint === '/metrics');
  expect(metrics?.statuses).toEqual(expect.arrayContaining([200, 401, 403, 500, 503]));
  expect(own.metrics.foreseen.find(({ endpoint }) => endpoint === '/')?.statuses).not.toContain(401);
});

test('what the token of the metrics protects is foreseen to refuse, described or not', async () => {
  const env = { METRICS_TOKEN: 'secret' };
  const { metrics } = await ServiceUnderTest.start({ paths, handlers, env, workers });
  const refusing = metrics.foreseen.filter(({ statuses }) => statuses.includes(401));
  expect(refusing.map(({ endpoint }) => endpoint).toSorted()).toEqual([
    '/metrics',
    '/status',
    '/status/{asset}',
  ]);
});

test('a method without a label value of its own is foreseen as it is counted', async () => {
  const service = await ServiceUnderTest.start({
    root: { openapi: '3.2.0' },
    paths: { '/found': { query: { operationId: 'plain', responses: { 204: ok } } } },
    handlers: { plain: () => undefined },
  });
  expect(service.metrics.foreseen[0]).toEqual({
    method: 'OTHER',
    endpoint: '/found',
    statuses: [204, 500, 503],
  });
  await service.request('/found', { method: 'QUERY' });
  expect(service.metrics.rows.map(({ labels }) => labels)).toEqual([
    { method: 'OTHER', endpoint: '/found', status: 204 },
  ]);
});
