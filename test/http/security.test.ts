import type { Context } from 'koa';
import { Problem } from '../../src/http/problem';
import { rawExchange } from '../support/exchange';
import { ServiceUnderTest, json, operation } from './service-under-test';

afterEach(() => ServiceUnderTest.closeAll());

const components = {
  securitySchemes: {
    key: { type: 'apiKey', in: 'header', name: 'X-Key' },
    queryKey: { type: 'apiKey', in: 'query', name: 'key' },
    cookieKey: { type: 'apiKey', in: 'cookie', name: 'session' },
    basic: { type: 'http', scheme: 'basic' },
    bearer: { type: 'http', scheme: 'bearer' },
    digest: { type: 'http', scheme: 'digest' },
    oauth: { type: 'oauth2', flows: {} },
    oidc: { type: 'openIdConnect', openIdConnectUrl: 'https://example.org' },
  },
};

const seen: unknown[] = [];
const check = (credentials: unknown, _ctx: Context, required: unknown) => {
  seen.push(credentials, required);
  const text = typeof credentials === 'string' ? credentials : JSON.stringify(credentials);
  if (text.includes('forbidden')) throw new Problem(403, 'Not for you.');
  if (text.includes('expired')) throw new Problem(401, 'This key has expired.');
  if (text.includes('broken')) throw new Error('the database is away');
  if (text === 'null' || text === 'false') return JSON.parse(text) as unknown;
  return text.includes('good') ? { name: text } : undefined;
};
const security = Object.fromEntries(Object.keys(components.securitySchemes).map((name) => [name, check]));

async function secured(requirements: object[] | undefined, root: object = {}) {
  seen.splice(0);
  return ServiceUnderTest.start({
    paths: {
      '/thing': {
        post: operation('thing', {
          ...(requirements && { security: requirements }),
          requestBody: { content: { 'application/json': { schema: {} } } },
        }),
      },
    },
    components,
    root,
    handlers: { thing: ({ principal }: { principal: unknown }) => principal ?? null },
    security,
    env: { VALIDATE_RESPONSES: 'off' },
  });
}

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

describe('credentials reach the function of their scheme, and its principal the handler', () => {
  test.each<[string, object, string, Record<string, string>, unknown]>([
    ['apiKey in a header', { key: [] }, '/thing', { 'x-key': 'good' }, 'good'],
    ['apiKey in the query', { queryKey: [] }, '/thing?key=g%6Fod', {}, 'good'],
    ['apiKey in a cookie', { cookieKey: [] }, '/thing', { Cookie: 'a=b; session=good' }, 'good'],
    [
      'basic',
      { basic: [] },
      '/thing',
      { Authorization: basic('good:a:b') },
      { username: 'good', password: 'a:b' },
    ],
    ['bearer', { bearer: [] }, '/thing', { Authorization: 'bearer good' }, 'good'],
    [
      'another http scheme, raw',
      { digest: [] },
      '/thing',
      { Authorization: 'Digest a="good"' },
      'Digest a="good"',
    ],
    ['oauth2', { oauth: ['read'] }, '/thing', { Authorization: 'Bearer good' }, 'good'],
    ['openIdConnect', { oidc: ['read'] }, '/thing', { Authorization: 'Bearer good' }, 'good'],
  ])('%s', async (_name, requirement, path, headers, credentials) => {
    const service = await secured([requirement]);
    const answer = await service.post(path, {}, headers);
    expect(answer.status).toBe(200);
    expect(json(answer)['name']).toContain('good');
    expect(seen).toEqual([credentials, { scopes: Object.values(requirement)[0] as unknown }]);
  });
});

test.each<[string, Record<string, string>, number]>([
  ['no credentials', {}, 401],
  ['refused ones', { 'X-Key': 'bad' }, 401],
  ['nobody, as a database says it', { 'X-Key': 'null' }, 401],
  ['nobody, as a test of a password says it', { 'X-Key': 'false' }, 401],
  ['those of another scheme', { Authorization: 'Bearer good' }, 401],
  ['an empty key', { 'X-Key': '' }, 401],
  ['a principal that may not', { 'X-Key': 'forbidden' }, 403],
  ['a function that fails', { 'X-Key': 'broken' }, 500],
])(
  '%s: the handler is not called, and the answer is counted under the endpoint',
  async (_, headers, status) => {
    const service = await secured([{ key: [] }]);
    const answer = await service.post('/thing', {}, headers);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(service.counted).toEqual([['/thing', status]]);
    expect(answer.headers.get('www-authenticate')).toBe(
      status === 401 ? 'ApiKey realm="key", in="header", name="X-Key"' : undefined,
    );
  },
);

test.each([
  '%73ession=other; session=good',
  'session =other; session=good',
  'a=b;\tsession=other; session=good',
  'session; session=good',
  '%5F_Host-id=other; session=good; session=other',
])('the cookie %s that is checked is the parameter, too', async (cookie) => {
  const parameters = ['session', '__Host-id'].map((name) => ({
    name,
    in: 'cookie',
    schema: { type: 'string' },
  }));
  const service = await ServiceUnderTest.start({
    paths: { '/thing': { get: operation('thing', { security: [{ cookieKey: [] }], parameters }) } },
    components,
    handlers: { thing: (request: { cookie: object }) => request.cookie },
    security,
  });
  const answer = await service.request('/thing', { headers: { Cookie: cookie } });
  expect([answer.status, json(answer)]).toEqual([200, { session: 'good' }]);
});

test('a 401 challenges with every scheme that would do', async () => {
  const service = await secured([{ basic: [] }, { oauth: ['read', 'write'] }, { digest: [] }]);
  expect((await service.post('/thing', {})).headers.get('www-authenticate')).toBe(
    'Basic realm="basic", charset="UTF-8", Bearer realm="oauth", scope="read write", Digest realm="digest"',
  );
});

test('alternatives are an or, the schemes of one an and', async () => {
  const service = await secured([{ key: [], bearer: [] }, { basic: [] }]);
  const statusWith = async (headers: Record<string, string>) =>
    (await service.post('/thing', {}, headers)).status;
  expect(await statusWith({ 'X-Key': 'good' })).toBe(401);
  expect(await statusWith({ Authorization: 'Bearer good' })).toBe(401);
  expect(await statusWith({ Authorization: basic('good:x') })).toBe(200);
  const both = await service.post('/thing', {}, { 'X-Key': 'good', Authorization: 'Bearer good' });
  expect(json(both)).toEqual({ key: { name: 'good' }, bearer: { name: 'good' } });
});

test('a refusal by one alternative is none where another lets the request in', async () => {
  const service = await secured([{ key: [] }, { basic: [] }, { bearer: [] }]);
  const answerTo = (headers: Record<string, string>) => service.post('/thing', {}, headers);
  const statusWith = async (headers: Record<string, string>) => (await answerTo(headers)).status;
  expect(await statusWith({ 'X-Key': 'forbidden', Authorization: basic('good:x') })).toBe(200);
  expect(await statusWith({ 'X-Key': 'expired', Authorization: 'Bearer good' })).toBe(200);
  expect(await statusWith({ 'X-Key': 'forbidden', Authorization: 'Bearer bad' })).toBe(403);
  expect(await statusWith({ 'X-Key': 'expired', Authorization: 'Bearer forbidden' })).toBe(403);
  expect(await statusWith({ 'X-Key': 'broken', Authorization: 'Bearer good' })).toBe(500);
  const expired = await answerTo({ 'X-Key': 'expired' });
  expect([expired.status, json(expired)['detail']]).toEqual([401, 'This key has expired.']);
  expect(expired.headers.get('www-authenticate')).toBe(
    'ApiKey realm="key", in="header", name="X-Key", Basic realm="basic", charset="UTF-8", Bearer realm="bearer"',
  );
});

const withoutAdmin = (_token: string, _ctx: Context, { scopes }: { scopes: readonly string[] }) => {
  if (scopes.includes('admin')) throw new Problem(403, 'Only for administrators.');
  return scopes;
};

test('scopes that one alternative wants are not wanted where another has fewer', async () => {
  const service = await ServiceUnderTest.start({
    paths: {
      '/thing': { get: operation('thing', { security: [{ oauth: ['admin'] }, { oauth: ['read'] }] }) },
    },
    components,
    handlers: { thing: ({ principal }: { principal: unknown }) => principal },
    security: Object.fromEntries([['oauth', withoutAdmin]]),
  });
  const answer = await service.request('/thing', { headers: { Authorization: 'Bearer a' } });
  expect([answer.status, answer.body.toString()]).toEqual([200, '["read"]']);
});

test('{} lets an anonymous request in, and still knows one with credentials', async () => {
  const service = await secured([{}, { key: [] }]);
  expect((await service.post('/thing', {})).body.toString()).toBe('null');
  expect((await service.post('/thing', {}, { 'X-Key': 'forbidden' })).body.toString()).toBe('null');
  expect(json(await service.post('/thing', {}, { 'X-Key': 'good' }))).toEqual({ name: 'good' });
});

test('the security of the whole description holds where an operation has none of its own, which can be []', async () => {
  const root = { security: [{ key: [] }] };
  expect((await (await secured(undefined, root)).post('/thing', {})).status).toBe(401);
  expect((await (await secured([], root)).post('/thing', {})).status).toBe(200);
});

test('who is refused is not asked for a body', async () => {
  const service = await secured([{ key: [] }]);
  const { text } = await rawExchange(
    service.port,
    'POST /thing HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n',
    { answers: 1 },
  );
  expect(text).toMatch(/^HTTP\/1\.1 401 /);
});

test.each([
  ['a scheme without a function', { key: [] }, 'operation "thing" requires the security scheme "key"'],
  ['a scheme that is not declared', { other: [] }, '"other" is no scheme'],
])('%s ends the start', async (_, requirement, reason) => {
  await expect(
    ServiceUnderTest.start({
      paths: { '/thing': { get: operation('thing', { security: [requirement] }) } },
      components,
      handlers: { thing: () => 1 },
    }),
  ).rejects.toThrow(reason);
});

test.each(['constructor', 'toString', '__proto__'])(
  'a scheme called %s is no scheme with a function, until it is given one',
  async (name) => {
    const start = (...checks: [string, typeof check][]) =>
      ServiceUnderTest.start({
        paths: {
          '/thing': {
            get: operation('thing', { security: [Object.fromEntries([[name, []]])] }),
            post: operation('things', {
              security: [
                Object.fromEntries([
                  [name, []],
                  ['key', []],
                ]),
              ],
            }),
          },
        },
        components: {
          securitySchemes: Object.fromEntries([
            [name, { type: 'http', scheme: 'bearer' }],
            ['key', { type: 'apiKey', in: 'header', name: 'X-Key' }],
          ]),
        },
        handlers: {
          thing: ({ principal }: { principal: unknown }) => principal,
          things: ({ principal }: { principal: object }) => Object.entries(principal),
        },
        security: Object.fromEntries([['key', check], ...checks]),
      });
    await expect(start()).rejects.toThrow(
      `requires the security scheme "${name}", for which "security" in src/service.ts has no function`,
    );
    const service = await start([name, check]);
    const statusWith = async (token: string) =>
      (await service.request('/thing', { headers: { Authorization: `Bearer ${token}` } })).status;
    expect([await statusWith('forged'), await statusWith('good')]).toEqual([401, 200]);
    const both = await service.post('/thing', {}, { 'X-Key': 'good', Authorization: 'Bearer good' });
    expect(JSON.parse(both.body.toString())).toEqual([
      [name, { name: 'good' }],
      ['key', { name: 'good' }],
    ]);
  },
);
