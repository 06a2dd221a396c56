import { basename } from 'node:path';
import supertest from 'supertest';
import { ServiceUnderTest, describeText, json, operation } from '../service-under-test';

afterEach(() => ServiceUnderTest.closeAll());

describe('the API', () => {
  test('greets', async () => {
    const agent = supertest((await ServiceUnderTest.start()).app.callback());
    expect(await agent.get('/')).toMatchObject({ status: 200, type: 'application/json' });
    expect(await agent.get('/hello/Ada')).toMatchObject({ status: 200, body: { message: 'Hello, Ada!' } });
    const refused = await agent.get(`/hello/${'x'.repeat(65)}`);
    expect(refused).toMatchObject({ status: 400, type: 'application/problem+json' });
  });

  test('echoes', async () => {
    const agent = supertest((await ServiceUnderTest.start()).app.callback());
    expect(await agent.post('/echo').send({ message: 'a' })).toMatchObject({
      status: 200,
      body: { message: 'a' },
    });
    expect(await agent.post('/echo').send({ message: 'a', more: 1 })).toHaveProperty('status', 400);
    expect(await agent.post('/echo').send({ message: 'x'.repeat(1001) })).toHaveProperty('status', 400);
  });
});

describe('health', () => {
  test('is alive while it answers, and ready while it wants work', async () => {
    let accepting = true;
    const service = await ServiceUnderTest.start({ accepting: () => accepting });
    expect(json(await service.request('/readyz'))).toEqual({ status: 'ok' });
    accepting = false;
    const answer = await service.request('/readyz');
    expect(answer.status).toBe(503);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(json(answer)).toEqual({ status: 'draining' });
    expect((await service.request('/livez')).status).toBe(200);
  });
});

describe('documentation', () => {
  test('is a page that loads all that it needs from here', async () => {
    const service = await ServiceUnderTest.start();
    const page = await service.request('/docs');
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none';script-src 'self';/);
    const links = [...page.body.toString().matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link ?? '');
    expect(links).toHaveLength(4);
    for (const link of links) {
      const asset = await service.request(`/${link}`);
      expect([link, asset.status]).toEqual([link, 200]);
      expect(asset.headers.get('content-type')).toMatch(/^(text\/(css|javascript)|image\/png)/);
      expect(asset.headers.get('x-content-type-options')).toBe('nosniff');
    }
    expect(new Set(service.counted.map(([endpoint]) => endpoint))).toEqual(
      new Set(['/docs', '/docs/{asset}']),
    );
  });

  test.each([
    'package.json',
    '..%2Fpackage.json',
    '..%2F..%2F..%2Fpackage.json',
    '..',
    '%00',
    'swagger-ui.js',
    'toString',
  ])('has no file %s', async (name) => {
    expect((await (await ServiceUnderTest.start()).request(`/docs/${name}`)).status).toBe(404);
  });

  test.each([
    ['/openapi.json', 'application/json; charset=utf-8', /^\{"openapi":"3\.1\.0"/],
    ['/openapi.yaml', 'application/yaml; charset=utf-8', /^openapi: 3\.1\.0\n/],
    ['/docs/swagger-ui.css', 'text/css; charset=utf-8', /swagger-ui/],
  ])('%s has an ETag, and is a 304 for who has it', async (path, type, content) => {
    const service = await ServiceUnderTest.start();
    const full = await service.request(path);
    expect(full.headers.get('content-type')).toBe(type);
    expect(full.body.toString()).toMatch(content);
    const etag = full.headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[\w-]{43}"$/);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const unchanged = await service.request(path, { headers: { 'If-None-Match': known } });
      expect([known, unchanged.status, unchanged.body.length]).toEqual([known, 304, 0]);
      expect(unchanged.headers.get('etag')).toBe(etag);
    }
    expect((await service.request(path, { headers: { 'If-None-Match': '"other"' } })).status).toBe(200);
  });

  test('is not there with DOCS=off', async () => {
    const service = await ServiceUnderTest.start({ env: { DOCS: 'off' } });
    for (const path of ['/docs', '/docs/swagger-ui.css', '/openapi.json', '/openapi.yaml']) {
      expect([path, (await service.request(path)).status]).toEqual([path, 404]);
    }
    expect(service.counted).toEqual([['unmatched', 404]]);
  });
});

test('the status page has the objectives of operations in other files', async () => {
  const slo = { availability: 0.99, latency: { threshold: 1, ratio: 0.9 }, window: '30d' };
  const boxes = basename(describeText(JSON.stringify({ get: operation('boxes', { 'x-slo': slo }) })));
  const service = await ServiceUnderTest.start({
    paths: { '/boxes': { $ref: boxes } },
    handlers: { boxes: () => [] },
    workers: () => Promise.resolve(Buffer.from('[]')),
  });
  expect(JSON.parse((await service.request('/status/objectives.json')).body.toString())).toMatchObject([
    { name: 'boxes', availability: 0.99, operations: [{ method: 'GET', endpoint: '/boxes' }] },
  ]);
});
