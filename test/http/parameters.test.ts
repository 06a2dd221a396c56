import { rawExchange } from '../support/exchange';
import { ServiceUnderTest, json, operation } from './service-under-test';

const parameter = (where: string, name: string, schema: object, more: object = {}) => ({
  in: where,
  name,
  schema,
  ...more,
});
const echo = ({ path, query, header, cookie }: Record<string, unknown>) => ({ path, query, header, cookie });

let service: ServiceUnderTest;

beforeAll(async () => {
  const integer = { type: 'integer', minimum: 1 };
  service = await ServiceUnderTest.start({
    paths: {
      '/path/{id}/{flag}/{text}': {
        parameters: [parameter('path', 'id', { type: 'string' }, { required: true })],
        get: operation('path', {
          parameters: [
            parameter('path', 'id', { $ref: '#/components/schemas/Id' }, { required: true }),
            parameter('path', 'flag', { type: 'boolean' }, { required: true }),
            parameter('path', 'text', { type: 'string' }, { required: true }),
          ],
        }),
      },
      '/query': {
        get: operation('query', {
          parameters: [
            parameter('query', 'n', { type: 'number' }),
            parameter('query', 'i', integer),
            parameter('query', 'b', { type: 'boolean' }),
            parameter('query', 's', { type: 'string', maxLength: 5 }),
            parameter('query', 'e', { enum: ['a', 1, null] }),
            parameter('query', 'either', { anyOf: [{ type: 'integer' }, { type: 'string', pattern: '^x' }] }),
            parameter('query', 'list', { type: 'array', items: integer }),
            parameter('query', 'comma', { type: 'array', items: { type: 'string' } }, { explode: false }),
            parameter('query', 'size', { type: 'integer', default: 20 }),
          ],
        }),
      },
      '/list/[a|b]/{n}': {
        get: operation('list', { parameters: [parameter('path', 'n', integer, { required: true })] }),
      },
      '/required': {
        get: operation('required', {
          parameters: [
            parameter('query', 'q', { type: 'string' }, { required: true }),
            parameter('header', 'X-Tenant', { type: 'integer' }, { required: true }),
            parameter('header', 'X-List', { type: 'array', items: { type: 'integer' } }),
            parameter('cookie', 'session', { type: 'string', minLength: 3 }, { required: true }),
          ],
        }),
      },
    },
    components: { schemas: { Id: integer } },
    handlers: { path: echo, query: echo, list: echo, required: echo },
  });
});

afterAll(() => ServiceUnderTest.closeAll());

const query = async (text: string) => {
  const answer = await service.request(`/query?${text}`);
  return answer.status === 200 ? json(answer)['query'] : json(answer)['errors'];
};

describe('a query parameter', () => {
  test.each([
    ['http://elsewhere/query?n=1#a', 1],
    ['/query?n=1#a', 1],
    ['http://elsewhere/query#a?n=1', undefined],
  ])('is read from the target %s', async (target, n) => {
    expect(json(await service.request(target))['query']).toEqual({ ...(n && { n }), size: 20 });
  });

  test.each([
    ['n=1', { n: 1 }],
    ['n=-1.5e3', { n: -1500 }],
    ['n=0', { n: 0 }],
    ['i=9007199254740991', { i: 9007199254740991 }],
    ['b=true', { b: true }],
    ['b=false', { b: false }],
    ['s=1', { s: '1' }],
    ['s=', { s: '' }],
    ['s', { s: '' }],
    ['s=a+b', { s: 'a b' }],
    ['s=a%2Bb', { s: 'a+b' }],
    ['s=%E2%82%AC', { s: '€' }],
    ['s=a=b', { s: 'a=b' }],
    ['%73=a', { s: 'a' }],
    ['e=a', { e: 'a' }],
    ['e=1', { e: 1 }],
    ['either=7', { either: 7 }],
    ['either=x7', { either: 'x7' }],
    ['list=1&list=2', { list: [1, 2] }],
    ['list=1', { list: [1] }],
    ['comma=a,b', { comma: ['a', 'b'] }],
    ['unknown=1&__proto__=2&constructor=3', {}],
    ['', {}],
  ])('%s is read', async (text, expected) => {
    expect(await query(text)).toEqual({ size: 20, ...expected });
  });

  test.each([
    ['n=abc', '/n', 'must be number'],
    ['n=', '/n', 'must be number'],
    ['n=0x10', '/n', 'must be number'],
    ['n=%201', '/n', 'must be number'],
    ['n=Infinity', '/n', 'must be number'],
    ['n=1e999', '/n', 'must be number'],
    ['n=01', '/n', 'must be number'],
    ['i=1.5', '/i', 'must be integer'],
    ['i=9007199254740993', '/i', 'must be integer'],
    ['i=0', '/i', 'must be >= 1'],
    ['b=1', '/b', 'must be boolean'],
    ['b=TRUE', '/b', 'must be boolean'],
    ['s=123456', '/s', 'must NOT have more than 5 characters'],
    ['s=a&s=b', '/s', 'must be string'],
    ['e=null', '/e', 'must be one of ["a",1,null]'],
    ['either=y', '/either', 'must be integer, or must match pattern "^x"'],
    ['list=1&list=a', '/list/1', 'must be integer'],
    ['s=%zz', '/s', 'has a "%" that does not encode UTF-8'],
    ['list=1&list=%ff', '/list', 'has a "%" that does not encode UTF-8'],
    ['%C3=1', '/%C3', 'has a "%" that does not encode UTF-8'],
  ])('%s is refused', async (text, path, message) => {
    expect(await query(text)).toEqual([{ in: 'query', path, message }]);
  });

  test('each fault is told', async () => {
    expect(await query('n=a&i=b&list=c&list=d')).toEqual([
      { in: 'query', path: '/n', message: 'must be number' },
      { in: 'query', path: '/i', message: 'must be integer' },
      { in: 'query', path: '/list/0', message: 'must be integer' },
      { in: 'query', path: '/list/1', message: 'must be integer' },
    ]);
  });
});

test('a path parameter is converted, and one of the operation goes before one of the path', async () => {
  const path = { id: 7, flag: true, text: '7' };
  expect(json(await service.request('/path/7/true/7'))).toEqual({ path, query: {}, header: {}, cookie: {} });
  const refused = await service.request('/path/0/yes/7');
  expect(refused.status).toBe(400);
  expect(json(refused)['errors']).toEqual([
    { in: 'path', path: '/id', message: 'must be >= 1' },
    { in: 'path', path: '/flag', message: 'must be boolean' },
  ]);
});

test.each([
  ['/path/7/true/a|b', { text: 'a|b' }],
  ['/list/[a|b]/1', { n: 1 }],
  ['/list/[a%7Cb%5D/1', { n: 1 }],
])('%s is read as if it were encoded', async (target, path) => {
  // Node's `fetch` would encode some.
  const { answers } = await rawExchange(service.port, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, {
    answers: 1,
  });
  expect(JSON.parse(String(answers[0]?.body))).toMatchObject({ path });
});

test('headers and cookies are read', async () => {
  const answer = await service.request('/required?q=a', {
    headers: { 'x-tenant': '7', 'X-LIST': '1, 2,3', Cookie: 'a=b; session=a%20b%zz; session=second; empty' },
  });
  expect(json(answer)).toEqual({
    path: {},
    query: { q: 'a' },
    header: { 'X-Tenant': 7, 'X-List': [1, 2, 3] },
    cookie: { session: 'a%20b%zz' },
  });
});

test('what is required and missing is told, each where it is missing', async () => {
  const answer = await service.request('/required', { headers: { 'X-List': '1,a' } });
  expect(answer.status).toBe(400);
  expect(json(answer)).toEqual({
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: 'The request does not match the API description.',
    errors: [
      { in: 'query', path: '/q', message: 'is required' },
      { in: 'header', path: '/X-Tenant', message: 'is required' },
      { in: 'header', path: '/X-List/1', message: 'must be integer' },
      { in: 'cookie', path: '/session', message: 'is required' },
    ],
  });
});

describe('parameters beside each other', () => {
  let mixed: ServiceUnderTest;
  const seen: unknown[] = [];

  beforeAll(async () => {
    const numbers = { type: 'object', additionalProperties: { type: 'integer' } };
    const named = { type: 'object', properties: { x: { type: 'string' } }, additionalProperties: false };
    const security = Object.fromEntries([['key', () => 'somebody']]);
    const document = { schema: { type: ['object', 'null'] } };
    mixed = await ServiceUnderTest.start({
      paths: {
        '/': {
          get: operation('mixed', {
            security: [{ key: [] }],
            parameters: [
              parameter('query', 'numbers', numbers),
              parameter('query', 'named', named),
              parameter('query', 'deep', { type: 'object' }, { style: 'deepObject', explode: true }),
              parameter('query', 'tags', { type: 'array', items: { type: 'string' }, default: ['a'] }),
              { in: 'query', name: 'nothing', required: true, content: { 'application/json': document } },
              parameter('header', 'constructor', { type: 'string' }),
            ],
          }),
        },
      },
      components: { securitySchemes: { key: { type: 'apiKey', in: 'query', name: 'api_key' } } },
      security,
      handlers: {
        mixed: ({ query: { tags, ...others }, header }: { query: { tags: string[] }; header: object }) => {
          seen.push({ tags: [...tags], ...others }, header);
          tags.push('changed by the handler');
          return {};
        },
      },
    });
  });

  test('each has its own fields, a default is made anew, null is a value, and nothing is inherited', async () => {
    const path = '/?R=1&api_key=k&deep[a]=b&x=2&tags=t&nothing=null';
    expect((await mixed.request(path)).status).toBe(200);
    expect((await mixed.request('/?api_key=k&nothing=null')).status).toBe(200);
    expect((await mixed.request('/?api_key=k&nothing=null')).status).toBe(200);
    const given = { numbers: { R: 1 }, named: { x: '2' }, deep: { a: 'b' }, tags: ['t'], nothing: null };
    const usual = { tags: ['a'], nothing: null };
    expect(seen).toEqual([given, {}, usual, {}, usual, {}]);
  });
});
