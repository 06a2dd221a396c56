import { ServiceUnderTest, json, operation } from './service-under-test';

afterAll(() => ServiceUnderTest.closeAll());

const parameter = (name: string, where: string, schema: object, more: object = {}) => ({
  name,
  in: where,
  schema,
  ...more,
});
const required = { required: true };
const document = { schema: { type: 'object', properties: { a: { type: 'integer' } } } };
const JSON_TYPES = ['application/json; charset=utf-8', 'Application/JSON'];

let service: ServiceUnderTest;

beforeAll(async () => {
  const integer = { type: 'integer' };
  service = await ServiceUnderTest.start({
    paths: {
      '/reference': {
        get: operation('reference', {
          parameters: [parameter('$ref', 'query', integer), parameter('n', 'query', integer, required)],
        }),
      },
      '/in-path/{__proto__}/{constructor}': {
        get: operation('__proto__', {
          parameters: ['__proto__', 'constructor'].map((name) => parameter(name, 'path', integer, required)),
        }),
      },
      '/in-query': {
        get: operation('constructor', { parameters: [parameter('__proto__', 'query', integer, required)] }),
      },
      '/trace': {
        parameters: [parameter('X-Trace', 'header', { type: 'string' }, required)],
        get: operation('trace', { parameters: [parameter('x-trace', 'header', integer)] }),
      },
      ...Object.fromEntries(
        JSON_TYPES.map((type, index) => [
          `/document/${index}`,
          {
            get: operation(`document${index}`, {
              parameters: [{ name: 'd', in: 'query', content: { [type]: document } }],
            }),
          },
        ]),
      ),
    },
    handlers: Object.fromEntries(
      ['reference', '__proto__', 'constructor', 'trace', 'document0', 'document1'].map((id) => [
        id,
        ({ path, query, header }: Record<string, object>) =>
          Object.fromEntries([path, query, header].flatMap((values) => Object.entries(values ?? {}))),
      ]),
    ),
  });
});

async function asked(path: string): Promise<unknown> {
  const answer = await service.request(path);
  return answer.status === 200 ? Object.entries(json(answer)) : answer.status;
}

test.each([
  ['a parameter "$ref", and those beside it', '/reference?$ref=1&n=2', [['$ref', 1], ['n', 2]]], // prettier-ignore
  ['a path with "__proto__"', '/in-path/1/2', [['__proto__', 1], ['constructor', 2]]], // prettier-ignore
  ['a query with "__proto__"', '/in-query?__proto__=1', [['__proto__', 1]]],
  ['a header that an operation declares anew in another case', '/trace', []],
  ['a document whose type names a charset', '/document/0?d={"a":1}', [['d', { a: 1 }]]],
  ['a document whose type has capitals', '/document/1?d={"a":1}', [['d', { a: 1 }]]],
])('takes %s', async (_, path, values) => {
  expect(await asked(path)).toEqual(values);
});

test.each([
  '/reference?$ref=a&n=1',
  '/reference?$ref=1',
  '/in-path/a/1',
  '/in-path/1/a',
  '/in-query?__proto__=a',
  '/in-query',
  '/document/0?d={"a":"b"}',
])('validates %s', async (path) => {
  expect(await asked(path)).toBe(400);
});
