import type { Context } from 'koa';
import { ServiceUnderTest } from './service-under-test';

const paths = {
  '/who': {
    get: {
      operationId: 'who',
      responses: { '200': { description: 'x', content: { 'application/json': { schema: {} } } } },
    },
  },
};
const handlers = {
  who: (_request: unknown, { ip, ips, host, protocol }: Context) => ({ ip, ips, host, protocol }),
};

afterEach(() => ServiceUnderTest.closeAll());

async function seen(trust: string, headers: Record<string, string>): Promise<unknown> {
  const service = await ServiceUnderTest.start({ paths, handlers, env: { TRUST_PROXY: trust } });
  const { body } = await service.request('/who', { headers: { Host: 'direct.example', ...headers } });
  return JSON.parse(body.toString());
}

const forged = {
  'X-Forwarded-For': '6.6.6.6, 203.0.113.9, 10.0.0.2',
  'X-Forwarded-Host': 'forged.example, outer.example, inner.example',
  'X-Forwarded-Proto': 'gopher, HTTPS, http',
};

test.each([
  ['off', { ip: '127.0.0.1', host: 'direct.example', protocol: 'http' }],
  ['on', { ip: '10.0.0.2', host: 'inner.example', protocol: 'http' }],
  ['1', { ip: '10.0.0.2', host: 'inner.example', protocol: 'http' }],
  ['2', { ip: '203.0.113.9', host: 'outer.example', protocol: 'https' }],
])('with TRUST_PROXY=%s a client cannot forge what the proxies add', async (trust, expected) => {
  expect(await seen(trust, forged)).toMatchObject(expected);
});

test('a header that the outer proxy has replaced has fewer values than there are proxies', async () => {
  const headers = {
    'X-Forwarded-For': '203.0.113.9',
    'X-Forwarded-Host': 'outer.example',
    'X-Forwarded-Proto': 'https',
  };
  expect(await seen('3', headers)).toEqual({
    ip: '203.0.113.9',
    ips: ['203.0.113.9'],
    host: 'outer.example',
    protocol: 'https',
  });
});

test.each(['', ' , '])('a proxy that says nothing (%j) leaves what the connection says', async (nothing) => {
  const headers = { 'X-Forwarded-For': nothing, 'X-Forwarded-Host': nothing, 'X-Forwarded-Proto': nothing };
  expect(await seen('1', headers)).toMatchObject({
    ip: '127.0.0.1',
    host: 'direct.example',
    protocol: 'http',
  });
});

test.each(['a@b', 'a b', 'http://x'])('a forwarded host that is none (%s) is not taken', async (host) => {
  expect(await seen('1', { 'X-Forwarded-Host': host })).toMatchObject({ host: '' });
});

test.each([
  ['203.0.113.9:4711', '203.0.113.9'],
  ['[2001:db8::9]:4711', '2001:db8::9'],
  ['"[2001:db8::9]"', '2001:db8::9'],
  ['2001:db8::9', '2001:db8::9'],
  ['unknown', 'unknown'],
])('an address that a proxy gives with a port (%s) is that of the client', async (given, ip) => {
  expect(await seen('1', { 'X-Forwarded-For': given })).toMatchObject({ ip, ips: [ip] });
});

test('a forwarded protocol that is none of the web is not taken', async () => {
  expect(await seen('1', { 'X-Forwarded-Proto': 'javascript' })).toMatchObject({ protocol: 'http' });
});
