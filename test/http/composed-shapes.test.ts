import { ServiceUnderTest, json, operation } from './service-under-test';

afterAll(() => ServiceUnderTest.closeAll());

const integer = { type: 'integer' };
const ids = { $ref: '#/components/schemas/Ids' };
const limited = { items: { maximum: 5 } };
const object = (properties: object) => ({ type: 'object', properties });
const byKind = {
  ...object({ kind: { type: 'string' } }),
  if: { properties: { kind: { const: 'n' } } },
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  then: { properties: { n: integer }, required: ['n'] },
  else: { properties: { flag: { type: 'boolean' } } },
  dependentSchemas: { kind: { properties: { of: integer } } },
};

/** Schemas of the parameter `p`, by the name of the operation. */
const SCHEMAS: Readonly<Record<string, readonly [schema: object, more?: object]>> = {
  tuple: [
    { type: 'array', prefixItems: [{ type: 'number' }, { type: 'string' }], items: { type: 'boolean' } },
    { explode: false },
  ],
  tupleBeside: [{ allOf: [ids, { prefixItems: [{ minimum: 1 }] }] }],
  beside: [{ ...ids, ...limited }],
  before: [{ allOf: [limited, ids] }],
  behind: [{ allOf: [ids, limited] }],
  either: [
    {
      anyOf: [
        { type: 'array', items: { type: 'boolean' } },
        { type: 'array', items: integer },
      ],
    },
  ],
  parts: [
    { allOf: [object({ ids }), object({ ids: { minItems: 1 } })] },
    { style: 'deepObject', explode: true },
  ],
  nested: [
    { allOf: [object({ a: object({ b: integer }) }), object({ a: object({ c: integer }) })] },
    { style: 'deepObject', explode: true },
  ],
  narrowed: [
    { allOf: [object({ a: { type: ['string', 'integer'] } }), object({ a: { type: 'string' } })] },
    { style: 'deepObject', explode: true },
  ],
  patterns: [
    { type: 'object', patternProperties: { '^n_': integer }, additionalProperties: false },
    { style: 'deepObject', explode: true },
  ],
  patternFields: [{ type: 'object', patternProperties: { '^n_': integer }, additionalProperties: false }],
  limits: [
    {
      anyOf: [
        { type: 'number', minimum: 1, exclusiveMaximum: 5 },
        { type: 'string', maxLength: 4 },
      ],
    },
  ],
  listed: [{ enum: ['1', 2, 'true'] }],
  withBase: [
    {
      type: ['integer', 'string'],
      allOf: [{ oneOf: [{ const: 7 }, { type: 'string', pattern: '^[0-6]$' }] }],
    },
  ],
  condition: [byKind, { style: 'deepObject', explode: true }],
};

const options = {
  paths: {
    ...Object.fromEntries(
      Object.entries(SCHEMAS).map(([name, [schema, more]]) => [
        `/${name}`,
        { get: operation(name, { parameters: [{ name: 'p', in: 'query', schema, ...more }] }) },
      ]),
    ),
    '/form': {
      post: operation('form', {
        requestBody: { content: { 'application/x-www-form-urlencoded': { schema: byKind } } },
      }),
    },
  },
  components: { schemas: { Ids: { type: 'array', items: integer } } },
  handlers: {
    ...Object.fromEntries(
      Object.keys(SCHEMAS).map((name) => [name, ({ query }: { query: object }) => query]),
    ),
    form: ({ body }: { body?: unknown }) => ({ p: body }),
  },
};

let service: ServiceUnderTest;
let strict: ServiceUnderTest;

beforeAll(async () => {
  service = await ServiceUnderTest.start(options);
  strict = await ServiceUnderTest.start({ ...options, env: { STRICT_QUERY: 'on' } });
});

test.each<[string, unknown]>([
  ['tuple?p=1.5,2,true,false', [1.5, '2', true, false]],
  ['tupleBeside?p=1&p=2', [1, 2]],
  ['beside?p=1&p=2', [1, 2]],
  ['before?p=1&p=2', [1, 2]],
  ['behind?p=1&p=2', [1, 2]],
  ['either?p=1&p=2', [1, 2]],
  ['either?p=true', [true]],
  ['limits?p=4.5', 4.5],
  ['limits?p=5', '5'],
  ['limits?p=0', '0'],
  ['limits?p=a', 'a'],
  ['listed?p=1', '1'],
  ['listed?p=2', 2],
  ['listed?p=true', 'true'],
  ['withBase?p=7', 7],
  ['parts?p[ids]=1&p[ids]=2', { ids: [1, 2] }],
  ['nested?p[a][b]=1&p[a][c]=2', { a: { b: 1, c: 2 } }],
  ['narrowed?p[a]=1', { a: '1' }],
  ['patterns?p[n_a]=1', { n_a: 1 }],
  ['patternFields?n_a=1', { n_a: 1 }],
  ['condition?p[kind]=n&p[n]=1&p[of]=2', { kind: 'n', n: 1, of: 2 }],
  ['condition?p[kind]=a&p[flag]=true', { kind: 'a', flag: true }],
])('%s', async (path, p) => {
  for (const one of [service, strict]) expect(json(await one.request(`/${path}`))).toEqual({ p });
});

test.each([
  'tuple?p=a,b',
  'tupleBeside?p=0',
  'beside?p=6',
  'before?p=6',
  'either?p=1&p=true',
  'limits?p=50000',
  'listed?p=3',
  'withBase?p=8',
  'patterns?p[n_a]=b',
  'patterns?p[a]=1',
  'condition?p[kind]=n&p[n]=a',
])('%s is a 400', async (path) => {
  expect((await service.request(`/${path}`)).status).toBe(400);
});

test('a strict query refuses what no pattern of an object has', async () => {
  expect((await strict.request('/patternFields?n_a=1&a=1')).status).toBe(400);
});

test('a form is read by its conditions, too', async () => {
  const answer = await service.request('/form', {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: 'kind=n&n=5',
  });
  expect(json(answer)).toEqual({ p: { kind: 'n', n: 5 } });
});
