import { ServiceUnderTest, json, operation } from './service-under-test';

const ids = { type: 'array', items: { type: 'integer' } };
const colour = {
  type: 'object',
  properties: { R: { type: 'integer' }, name: { type: 'string' } },
  additionalProperties: false,
};
const echo = ({ path, query, header, cookie }: Record<string, unknown>) => ({ path, query, header, cookie });

type Style = readonly [schema: object, more: object];

/** Styles by the name of the operation, which has one parameter, `p`. */
const QUERY: Readonly<Record<string, Style>> = {
  form: [ids, {}],
  formList: [ids, { explode: false }],
  formObject: [colour, { explode: false }],
  formFields: [colour, {}],
  space: [ids, { style: 'spaceDelimited', explode: false }],
  pipe: [ids, { style: 'pipeDelimited', explode: false }],
  pipeObject: [colour, { style: 'pipeDelimited', explode: false }],
  deep: [
    {
      type: 'object',
      properties: {
        a: { type: 'integer' },
        b: { type: 'object', properties: { c: { type: 'boolean' } } },
        list: ids,
      },
    },
    { style: 'deepObject', explode: true },
  ],
  deepItems: [
    { type: 'object', properties: { list: { type: 'array', items: { type: 'object' } } } },
    { style: 'deepObject', explode: true },
  ],
  deepList: [ids, { style: 'deepObject', explode: true }],
  choice: [
    { anyOf: [{ type: 'integer' }, { type: 'object', properties: { gte: { type: 'integer' } } }] },
    { style: 'deepObject', explode: true },
  ],
  content: [{ type: 'object', properties: { a: { type: 'integer' } } }, {}],
  composed: [{ allOf: [{ $ref: '#/components/schemas/Ids' }] }, {}],
  nullable: [{ type: ['array', 'null'], items: { type: 'integer' } }, {}],
  either: [{ oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] }, {}],
  strings: [{ type: 'array', items: { type: 'string' } }, { explode: false }],
  beside: [{ $ref: '#/components/schemas/Size', maximum: 5, default: 3 }, {}],
  text: [{ type: 'string' }, {}],
  reserved: [{ type: 'string' }, { allowReserved: true }],
  reservedList: [
    { type: 'array', items: { type: 'string' } },
    { allowReserved: true, explode: false },
  ],
  open: [{ type: 'object' }, {}],
  openPairs: [{ type: 'object' }, { explode: false }],
  flag: [{ type: 'boolean' }, { allowEmptyValue: true }],
  deepDefault: [
    { type: 'object', properties: { a: { type: 'integer' }, size: { type: 'integer', default: 10 } } },
    { style: 'deepObject', explode: true },
  ],
  fieldsDefault: [
    { ...colour, properties: { ...colour.properties, size: { type: 'integer', default: 10 } } },
    {},
  ],
};

const PATH: Readonly<Record<string, Style>> = {
  simple: [ids, {}],
  simpleObject: [colour, {}],
  simpleExploded: [colour, { explode: true }],
  label: [ids, { style: 'label' }],
  labelExploded: [ids, { style: 'label', explode: true }],
  labelObject: [colour, { style: 'label', explode: true }],
  matrix: [ids, { style: 'matrix' }],
  matrixExploded: [ids, { style: 'matrix', explode: true }],
  matrixObject: [colour, { style: 'matrix', explode: true }],
  matrixScalar: [{ type: 'integer' }, { style: 'matrix' }],
};

let service: ServiceUnderTest;
let strict: ServiceUnderTest;

const declared = (where: string, [schema, more]: Style, name: string) =>
  name === 'content'
    ? { name: 'p', in: where, content: { 'application/json': { schema } } }
    : { name: 'p', in: where, schema, ...more };

beforeAll(async () => {
  const queries = Object.entries(QUERY).map(([name, style]) => [
    `/${name}`,
    { get: operation(name, { parameters: [declared('query', style, name)] }) },
  ]);
  const paths = Object.entries(PATH).map(([name, style]) => [
    `/${name}/{p}`,
    { get: operation(`path-${name}`, { parameters: [declared('path', style, name)] }) },
  ]);
  const others = {
    '/boxes/{id}.json': {
      get: operation('json', {
        parameters: [declared('path', [{ type: 'integer' }, {}], 'id')].map((one) => ({
          ...one,
          name: 'id',
        })),
      }),
    },
    '/boxes/{id}': {
      get: operation('box', { parameters: [{ name: 'id', in: 'path', schema: { type: 'string' } }] }),
    },
    '/{from}-{to}/x': {
      get: operation('range', {
        parameters: ['from', 'to'].map((name) => ({ name, in: 'path', schema: { type: 'string' } })),
      }),
    },
    '/object-header': {
      get: operation('header', {
        parameters: [
          { name: 'X-Colour', in: 'header', schema: colour },
          { name: 'c', in: 'cookie', explode: false, schema: ids },
        ],
      }),
    },
  };
  const options = {
    paths: { ...Object.fromEntries([...queries, ...paths]), ...others },
    components: { schemas: { Ids: ids, Size: { type: 'integer' } } },
    handlers: Object.fromEntries(
      [
        ...Object.keys(QUERY),
        ...Object.keys(PATH).map((name) => `path-${name}`),
        'json',
        'box',
        'range',
        'header',
      ].map((id) => [id, echo]),
    ),
  };
  service = await ServiceUnderTest.start(options);
  strict = await ServiceUnderTest.start({ ...options, env: { STRICT_QUERY: 'on' } });
});

afterAll(() => ServiceUnderTest.closeAll());

const get = async (path: string, on = service) => {
  const answer = await on.request(path);
  const { query, path: inPath, errors } = json(answer) as Record<string, Record<string, unknown>>;
  return answer.status === 200 ? { ...query, ...inPath } : { status: answer.status, errors };
};

describe('a query is read as its style says', () => {
  test.each<[string, unknown]>([
    ['form?p=1&p=2', [1, 2]],
    ['form?p=1', [1]],
    ['formList?p=1,2', [1, 2]],
    ['formObject?p=R,100,name,a', { R: 100, name: 'a' }],
    ['formFields?R=100&name=a%26b', { R: 100, name: 'a&b' }],
    ['space?p=1%202', [1, 2]],
    ['space?p=1+2', [1, 2]],
    ['pipe?p=1|2', [1, 2]],
    ['pipe?p=1%7C2', [1, 2]],
    ['pipeObject?p=R|100', { R: 100 }],
    ['deep?p[a]=1&p[b][c]=true&p[list][]=1&p[list][]=2', { a: 1, b: { c: true }, list: [1, 2] }],
    ['deep?p%5Ba%5D=1&p[list]=7', { a: 1, list: [7] }],
    ['deep?p[list][10]=3&p[list][1]=2&p[list][0]=1', { list: [1, 2, 3] }],
    ['deepItems?p[list][1][x]=b&p[list][0][x]=a', { list: [{ x: 'a' }, { x: 'b' }] }],
    ['deepList?p[]=1&p[]=2', [1, 2]],
    ['deepList?p[1]=2&p[0]=1', [1, 2]],
    ['deepList?p=1', [1]],
    ['choice?p=5', 5],
    ['choice?p[gte]=5', { gte: 5 }],
    ['text?p=1+1%2B1', '1 1+1'],
    ['reserved?p=1+1%2B1%20/?:@', '1+1+1 /?:@'],
    ['reservedList?p=a+b,c%2Cd', ['a+b', 'c,d']],
    ['content?p=%7B%22a%22%3A1%7D', { a: 1 }],
    ['composed?p=1&p=2', [1, 2]],
    ['nullable?p=1', [1]],
    ['either?p=a', 'a'],
    ['either?p=a&p=b', ['a', 'b']],
    ['strings?p=a%2Cb,c', ['a,b', 'c']],
    ['beside', 3],
    ['deepDefault?p[a]=1', { a: 1, size: 10 }],
    ['fieldsDefault?R=1', { R: 1, size: 10 }],
    ['flag?p', ''],
    ['flag?p=true', true],
  ])('%s', async (path, p) => {
    expect(await get(`/${path}`)).toEqual({ p });
  });

  test.each([
    'form?p=x',
    'formList?p=1,x',
    'deep?p[a]=x',
    'deepList?p[0]=x',
    'content?p={',
    'content?p={"a":"b"}',
    'beside?p=9',
    'flag?p=maybe',
    'formFields?R=x',
  ])('%s is a 400', async (path) => {
    expect(await get(`/${path}`)).toMatchObject({ status: 400 });
  });

  test.each([
    ['deepItems?p[list][][x]=1', '/p[list][]', 'has values in brackets: its items need numbers'],
    ['deep?p[list][]=1&p[list]=2', '/p[list]', 'has a value beside those in brackets'],
    ['choice?p=5&p[gte]=5', '/p', 'has a value beside those in brackets'],
    ['content?p={', '/p', 'is not JSON'],
    ['content?p=', '/p', 'is not JSON'],
  ])('%s is a 400 that says what is wrong at %s', async (path, place, message) => {
    const errors = [{ in: 'query', path: place, message }];
    expect(await get(`/${path}`)).toMatchObject({ status: 400, errors });
  });

  test.each(['open?a=1&__proto__=1&__proto__=2', 'openPairs?p=a,1,%5F_proto__,2'])(
    '%s is a 400: code that copies the object would get another prototype',
    async (path) => {
      const errors = [{ in: 'query', path: '/p/__proto__', message: 'is not allowed' }];
      expect(await get(`/${path}`)).toMatchObject({ status: 400, errors });
    },
  );

  test.each(['deep?p[__proto__][x]=1', `deep?p${'[a]'.repeat(11)}=1`])(
    '%s is a 400, and no work',
    async (path) => {
      expect(await get(`/${path}`)).toMatchObject({ status: 400 });
    },
  );
});

describe('a path is read as its style says', () => {
  test.each<[string, unknown]>([
    ['simple/1,2', [1, 2]],
    ['simpleObject/R,100,name,a%2Cb', { R: 100, name: 'a,b' }],
    ['simpleExploded/R=100,name=a', { R: 100, name: 'a' }],
    ['label/.1,2', [1, 2]],
    ['labelExploded/.1.2', [1, 2]],
    ['labelObject/.R=100.name=a', { R: 100, name: 'a' }],
    ['matrix/;p=1,2', [1, 2]],
    ['matrixExploded/;p=1;p=2', [1, 2]],
    ['matrixObject/;R=100;name=a', { R: 100, name: 'a' }],
    ['matrixScalar/;p=7', 7],
  ])('%s', async (path, p) => {
    expect(await get(`/${path}`)).toEqual({ p });
  });

  test.each(['label/1,2', 'matrix/1', 'matrixScalar/;q=7'])('%s has not its sign: 400', async (path) => {
    expect(await get(`/${path}`)).toMatchObject({ status: 400 });
  });

  test.each<[string, object]>([
    ['/boxes/7.json', { id: 7 }],
    ['/boxes/7', { id: '7' }],
    ['/boxes/.json', { id: '.json' }],
    ['/a-b-c/x', { from: 'a', to: 'b-c' }],
    ['/a%2Fb-c/x', { from: 'a/b', to: 'c' }],
  ])('%s', async (path, values) => {
    expect(await get(path)).toEqual(values);
  });

  test.each(['/-b/x', '/ab/x'])('%s matches nothing', async (path) => {
    expect((await service.request(path)).status).toBe(404);
  });
});

test('an object in a header and a list in a cookie are read', async () => {
  const answer = await service.request('/object-header', {
    headers: { 'X-Colour': 'R,100,name,a', Cookie: 'c=1,2' },
  });
  expect(json(answer)).toMatchObject({
    header: { 'X-Colour': { R: 100, name: 'a' } },
    cookie: { c: [1, 2] },
  });
});

describe('with STRICT_QUERY=on', () => {
  test.each(['/form?p=1&q=2', '/deep?p[a]=1&q[a]=1', '/deep?p[a]x=1', '/formFields?R=1&G=2', '/simple/1?x'])(
    '%s is a 400 that names what is not declared',
    async (path) => {
      expect(await get(path, strict)).toMatchObject({
        status: 400,
        errors: [{ in: 'query', message: 'is not declared' }],
      });
    },
  );

  test.each([
    '/form?p=1',
    '/form?p=1&',
    '/form?&&p=1',
    '/deep?p[a]=1',
    '/deepList?p[]=1',
    '/formFields?R=1&',
    '/simple/1',
  ])('%s is served', async (path) => {
    expect(await get(path, strict)).not.toHaveProperty('status');
  });

  test('no more names than other mistakes are told, each as a JSON pointer', async () => {
    const names = Array.from({ length: 1000 }, (_, index) => `a/${index}`);
    const { errors } = (await get(`/form?${names.join('&')}`, strict)) as { errors: { path: string }[] };
    expect([errors.length, errors[0]?.path]).toEqual([100, '/a~10']);
  });

  test('it is off unless it is set', async () => {
    expect(await get('/form?p=1&q=2')).toEqual({ p: [1] });
  });
});
