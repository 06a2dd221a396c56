import { ServiceUnderTest, json, operation } from '../service-under-test';

const seen: unknown[] = [];
const id = { name: 'id', in: 'path', required: true, schema: { type: 'string' } };
const other = { ...id, name: 'other-name' };
const answer = (name: string) => (request: { path: object }) => {
  seen.push(name);
  return { name, ...request.path };
};
const ids = [
  'root',
  'list',
  'create',
  'me',
  'moi',
  'one',
  'part',
  'deep',
  'special',
  'ownHead',
  'withHead',
  'ownOptions',
  'slash',
  'cancel',
  'received',
];

let service: ServiceUnderTest;

beforeAll(async () => {
  service = await ServiceUnderTest.start({
    paths: {
      '/': { get: operation('root') },
      '/users': { get: operation('list'), post: operation('create') },
      '/users/me': { get: operation('me') },
      '/users/mé': { get: operation('moi') },
      '/users/{id}': { delete: operation('one', { parameters: [id] }) },
      '/users/{id}/parts': { get: operation('part', { parameters: [id] }) },
      '/users/{id}/parts/{other-name}': { get: operation('deep', { parameters: [id, other] }) },
      '/a.b+c(d)*:e': { get: operation('special') },
      '/head': { head: operation('ownHead'), get: operation('withHead') },
      '/options': { options: operation('ownOptions') },
      '/slash/': { get: operation('slash') },
      '/mails/{id}/cancel': { post: operation('cancel', { parameters: [id] }) },
      '/mails/received/{id}': { get: operation('received', { parameters: [id] }) },
    },
    handlers: Object.fromEntries(ids.map((name) => [name, answer(name)])),
  });
});

afterAll(() => ServiceUnderTest.closeAll());

beforeEach(() => seen.splice(0));

test.each([
  ['a static path', '/users', { name: 'list' }],
  ['the root', '/', { name: 'root' }],
  ['a query', '/users?a=/b', { name: 'list' }],
  ['an empty query', '/users?', { name: 'list' }],
  ['a literal before a parameter', '/users/me', { name: 'me' }],
  ['a parameter where the literal leads nowhere', '/users/me/parts', { name: 'part', id: 'me' }],
  ['two parameters', '/users/1/parts/2', { name: 'deep', id: '1', 'other-name': '2' }],
  ['characters that mean something elsewhere', '/a.b+c(d)*:e', { name: 'special' }],
  ['an encoded slash: a character of the parameter', '/users/a%2Fb/parts', { name: 'part', id: 'a/b' }],
  ['an encoded percent: decoded once', '/users/%252F/parts', { name: 'part', id: '%2F' }],
  ['a literal whose letters are encoded', '/%75ser%73', { name: 'list' }],
  ['UTF-8', '/users/%E2%82%AC/parts', { name: 'part', id: '€' }],
  ['a dot segment: a value like any other', '/users/../parts', { name: 'part', id: '..' }],
  [
    'a parameter called as what every object has',
    '/users/__proto__/parts',
    { name: 'part', id: '__proto__' },
  ],
  ['a trailing slash where the description has it', '/slash/', { name: 'slash' }],
  ['the absolute form', 'http://elsewhere/users/1/parts?x', { name: 'part', id: '1' }],
  ['the absolute form of the root', 'HTTPS://elsewhere:8443', { name: 'root' }],
  ['the absolute form of the root with a query', 'http://elsewhere?a=/b', { name: 'root' }],
  ['the absolute form with a fragment', 'http://elsewhere/users#a', { name: 'list' }],
  [
    'the absolute form, encoded as it came',
    'http://elsewhere/users/a%2Fb/parts',
    { name: 'part', id: 'a/b' },
  ],
])('matches %s', async (_, path, expected) => {
  const found = await service.request(path);
  expect(found.status).toBe(200);
  expect(json(found)).toEqual(expected);
});

test.each([
  ['an unknown path', '/nowhere'],
  ['a trailing slash', '/users/'],
  ['a missing trailing slash', '/slash'],
  ['a double slash', '//users'],
  ['an empty parameter', '/users//parts'],
  ['another case', '/Users'],
  ['a literal whose slash is encoded', '/users%2Fme'],
  ['a dot segment, encoded or not', '/nowhere/%2e%2E/users'],
  ['a part of a path', '/users/1/part'],
  ['more than a path', '/users/1/parts/2/3'],
  ['an invalid percent-encoding in no parameter', '/%zz'],
  ['what every object has', '/constructor'],
])('does not match %s: 404', async (_, path) => {
  const found = await service.request(path);
  expect(found.status).toBe(404);
  expect(json(found)).toEqual({
    type: 'about:blank',
    title: 'Not Found',
    status: 404,
    detail: 'There is nothing at this path.',
  });
  expect(seen).toEqual([]);
});

test.each(['http://a:b@c:99999/', 'http://[x/', 'http://a:x/', 'ftp://a/users', '*users', '**'])(
  'refuses the target %s: 400',
  async (target) => {
    const logged = service.log.length;
    expect((await service.request(target)).status).toBe(400);
    expect(service.log.slice(logged)).not.toContainEqual(expect.objectContaining({ level: 50 }));
  },
);

test('makes no error of an authority that some releases of Node take for a URL, and others do not', async () => {
  const logged = service.log.length;
  expect([200, 400]).toContain((await service.request('http://xn--/')).status);
  expect(service.log.slice(logged)).not.toContainEqual(expect.objectContaining({ level: 50 }));
});

test.each(['/users/%zz/parts', '/users/%/parts', '/users/%ff/parts', '/users/%C0%AF/parts'])(
  'refuses the percent-encoding of %s',
  async (path) => {
    const found = await service.request(path);
    expect(found.status).toBe(400);
    expect(json(found)['errors']).toEqual([
      { in: 'path', path: '/id', message: 'has a "%" that does not encode UTF-8' },
    ]);
  },
);

describe('methods', () => {
  test('one that the path does not have is a 405 with Allow', async () => {
    const found = await service.request('/users', { method: 'DELETE' });
    expect(found.status).toBe(405);
    expect(found.headers.get('allow')).toBe('GET, HEAD, POST, OPTIONS');
    expect(json(found)['title']).toBe('Method Not Allowed');
    expect(seen).toEqual([]);
  });

  test('the most concrete template that has it is taken', async () => {
    const both = '/mails/received/cancel';
    expect(json(await service.request(both))).toEqual({ name: 'received', id: 'cancel' });
    expect(json(await service.request(both, { method: 'POST' }))).toEqual({ name: 'cancel', id: 'received' });
    const found = await service.request(both, { method: 'PUT' });
    expect(found.status).toBe(405);
    expect(found.headers.get('allow')).toBe('GET, HEAD, POST, OPTIONS');
    expect(service.counted.slice(-3)).toEqual([
      ['/mails/received/{id}', 200],
      ['/mails/{id}/cancel', 200],
      ['/mails/received/{id}', 405],
    ]);
  });

  test('a template without parameters is the only one of its path', async () => {
    for (const path of ['/users/me', '/users/%6De', '/users/m%c3%a9']) {
      const found = await service.request(path, { method: 'DELETE' });
      expect([path, found.status, found.headers.get('allow')]).toEqual([path, 405, 'GET, HEAD, OPTIONS']);
    }
  });

  test.each(['TRACE', 'PROPFIND', 'M-SEARCH'])('%s is none of any path', async (method) => {
    const found = await service.request('/users/1', { method });
    expect(found.status).toBe(405);
    expect(found.headers.get('allow')).toBe('DELETE, OPTIONS');
  });

  test('one that is none is refused before it gets here', async () => {
    expect((await service.request('/users', { method: 'GARBAGE' })).status).toBe(501);
  });

  test('HEAD is a GET without its body', async () => {
    const found = await service.request('/users', { method: 'HEAD' });
    expect(found.status).toBe(200);
    expect(found.headers.get('content-length')).toBe(String('{"name":"list"}'.length));
    expect(found.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(found.body.length).toBe(0);
    expect(seen).toEqual(['list']);
  });

  test('HEAD is an operation of its own where it is described', async () => {
    await service.request('/head', { method: 'HEAD' });
    await service.request('/head');
    expect(seen).toEqual(['ownHead', 'withHead']);
  });

  test('HEAD of what has no GET is a 405 without body', async () => {
    const found = await service.request('/users/1', { method: 'HEAD' });
    expect(found.status).toBe(405);
    expect(found.body.length).toBe(0);
  });

  test('OPTIONS is answered with Allow', async () => {
    const found = await service.request('/users/1', { method: 'OPTIONS' });
    expect(found.status).toBe(204);
    expect(found.headers.get('allow')).toBe('DELETE, OPTIONS');
    expect(seen).toEqual([]);
  });

  test('OPTIONS is an operation of its own where it is described', async () => {
    expect(json(await service.request('/options', { method: 'OPTIONS' }))).toEqual({ name: 'ownOptions' });
  });

  test('nothing but OPTIONS is about the server as a whole', async () => {
    expect((await service.request('*')).status).toBe(404);
    expect((await service.request('*?x=1', { method: 'OPTIONS' })).status).toBe(400);
    expect(seen).toEqual([]);
  });

  test('OPTIONS of the server as a whole is answered, of an unknown path it is a 404', async () => {
    expect((await service.request('*', { method: 'OPTIONS' })).status).toBe(204);
    expect((await service.request('/nowhere', { method: 'OPTIONS' })).status).toBe(404);
  });
});

test.each([
  ['/%61dmin/%7euser?x=%61', '/admin/~user', '?x=%61'],
  ['/adm%69n/%c3%a9%2fb', '/admin/%C3%A9%2Fb', ''],
  ['http://127.0.0.1/%61dmin/1?', '/admin/1', '?'],
  ['http://127.0.0.1/admin/1?x', '/admin/1', '?x'],
  ["http://a;b/admin/1?x='", '/admin/1', "?x='"],
  ["http://a'b%41/admin/1", '/admin/1', ''],
  ['/admin/1#/../../secret?x', '/admin/1', ''],
  ['/admin/1?x#y', '/admin/1', '?x'],
  ['/%61dmin/{1}', '/admin/%7B1%7D', ''],
  ['/admin/%2561', '/admin/%2561', ''],
])('a middleware sees the path that is served: %s is %s', async (target, path, query) => {
  const looked: unknown[] = [];
  const fresh = await ServiceUnderTest.start({
    paths: { '/admin/{id}': { get: operation('secret', { parameters: [id] }) } },
    handlers: { secret: answer('secret') },
    middleware: [
      (ctx, next) => {
        looked.push(ctx.originalUrl, ctx.path, ctx.url);
        if (ctx.path.startsWith('/admin/')) ctx.throw(403);
        return next();
      },
    ],
  });
  expect((await fresh.request(target)).status).toBe(403);
  expect(looked).toEqual([target, path, path + query]);
  expect(fresh.counted).toEqual([['/admin/{id}', 403]]);
  expect(seen).toEqual([]);
});

test('ctx.params are decoded, and the handler gets what was encoded apart', async () => {
  const looked: unknown[] = [];
  const listed = {
    name: 'id',
    in: 'path',
    required: true,
    schema: { type: 'array', items: { type: 'string' } },
  };
  const fresh = await ServiceUnderTest.start({
    paths: { '/files/{id}': { get: operation('files', { parameters: [listed] }) } },
    handlers: { files: ({ path }: { path: object }) => path },
    afterRouting: [(ctx, next) => (looked.push(ctx['params']), next())],
  });
  expect(json(await fresh.request('/files/a%2Fb%2Cc,%C3%A9'))).toEqual({ id: ['a/b,c', 'é'] });
  expect((await fresh.request('/files/%zz')).status).toBe(400);
  expect(looked).toEqual([{ id: 'a/b,c,é' }, { id: '%zz' }]);
});

test('a fragment is no part of a path, in which it would hide the rest from middleware', async () => {
  const looked: string[] = [];
  const fresh = await ServiceUnderTest.start({
    paths: { '/{id}/secret': { get: operation('secret', { parameters: [id] }) } },
    handlers: { secret: answer('secret') },
    middleware: [(ctx, next) => (looked.push(ctx.url), next())],
  });
  for (const target of ['/a#b/secret', 'http://a/a#b/secret'])
    expect([target, (await fresh.request(target)).status]).toEqual([target, 404]);
  expect(looked).toEqual(['/a', '/a']);
  expect(seen).toEqual([]);
});

test.each([
  ['/%%36%31dmin/1', 404],
  ['/admin/%%34%31', 400],
])('what is encoded behind a bare percent sign is not decoded twice: %s', async (target, status) => {
  const fresh = await ServiceUnderTest.start({
    paths: { '/admin/{id}': { get: operation('secret', { parameters: [id] }) } },
    handlers: { secret: answer('secret') },
    middleware: [
      (ctx, next) => {
        expect([target, ctx.path]).toEqual([target, target]);
        return next();
      },
    ],
  });
  expect((await fresh.request(target)).status).toBe(status);
  expect(seen).toEqual([]);
});

test('counts each path under its template, whatever the answer, and all others as unmatched', async () => {
  const fresh = await ServiceUnderTest.start();
  await fresh.request('/hello/a');
  await fresh.request('/hello/%zz');
  await fresh.request('/hello/a', { method: 'PUT' });
  await fresh.request('/hello/a', { method: 'OPTIONS' });
  await fresh.request('/hello/a/b');
  await fresh.request(`/${'x'.repeat(1000)}`);
  expect(fresh.counted).toEqual([
    ['/hello/{name}', 200],
    ['/hello/{name}', 400],
    ['/hello/{name}', 405],
    ['/hello/{name}', 204],
    ['unmatched', 404],
  ]);
});

test('no path, method or Host makes a series of its own', async () => {
  const fresh = await ServiceUnderTest.start();
  const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PROPFIND', 'LOCK', 'OPTIONS'];
  await Promise.all(methods.map((method) => fresh.request('/', { method })));
  const before = fresh.metrics.rows.length;
  for (let round = 0; round < 50; round += 1) {
    const method = methods[round % methods.length] ?? '';
    await fresh.request(`/hello/${round}`, { method, headers: { Host: `h${round}.example` } });
    await fresh.request(`/${round}/${round}`, { method });
  }
  expect(before).toBeGreaterThan(0);
  // Two templates, of which one is "unmatched", by the methods that have a label value of their own.
  expect(fresh.metrics.rows.length).toBeLessThanOrEqual(before + 2 * 6);
});
