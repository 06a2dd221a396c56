import { ServiceUnderTest, json } from '../http/service-under-test';

const SIZE = 10_000;
const fill = (unit: string) => unit.repeat(Math.ceil(SIZE / unit.length)).slice(0, SIZE);

/** 10 kB each, for where a parser or a pattern could be made to try again and again. */
const HOSTILE = [
  'a',
  '/',
  '//',
  '%',
  '%25',
  '%2F',
  '%2f..',
  '../',
  './',
  '%00',
  '{',
  '}',
  ':',
  '*',
  '(a',
  'a%',
  ';',
  '&',
  '=',
  '[]',
  '\\',
  '~0',
  '%ff',
].map(fill);
const PATHS = [
  '/',
  '/hello/',
  '/hello',
  '/echo/',
  '/metrics',
  '/livez/',
  '/readyz',
  '/docs/',
  '/docs',
  '/openapi.json',
  '/openapi.yaml/',
];

let service: ServiceUnderTest;

beforeAll(async () => {
  service = await ServiceUnderTest.start();
});

afterAll(() => ServiceUnderTest.closeAll());

test.each(PATHS)(
  '10 kB of anything after %s is matched or refused, and is no series of its own',
  async (path) => {
    for (const hostile of HOSTILE) {
      const { status } = await service.request(path + hostile);
      expect([400, 404]).toContain(status);
    }
    const endpoints = new Set(service.counted.map(([endpoint]) => endpoint));
    expect(
      [...endpoints].filter(
        (endpoint) => !['unmatched', '/hello/{name}', '/docs/{asset}'].includes(endpoint),
      ),
    ).toEqual([]);
  },
);

test.each(['?', '?a=', '?=', '?&'])(
  '10 kB of anything in a query that starts with %s is not looked at',
  async (start) => {
    for (const hostile of HOSTILE) {
      expect((await service.request(`/${start}${hostile}`)).status).toBe(200);
    }
  },
);

test('10 kB in any header are no fault of ours', async () => {
  for (const name of [
    'Cookie',
    'Content-Type',
    'Accept',
    'If-None-Match',
    'X-Request-Id',
    'Authorization',
    'X-Forwarded-For',
  ]) {
    const { status } = await service.request('/echo', {
      method: 'POST',
      body: '{}',
      headers: { [name]: fill('a=;,"') },
    });
    expect([400, 415]).toContain(status);
  }
});

test('what a proxy might have said has no effect', async () => {
  const headers = {
    'X-Forwarded-Host': 'elsewhere',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-For': '192.0.2.1',
    'X-Original-URL': '/echo',
    'X-HTTP-Method-Override': 'DELETE',
    Host: 'elsewhere.example:1',
  };
  expect(json(await service.request('/hello/a', { headers }))).toEqual({ message: 'Hello, a!' });
});
