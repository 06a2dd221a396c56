import * as fc from 'fast-check';
import { ServiceUnderTest, json, operation } from './service-under-test';

const item = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 20 },
    count: { type: 'integer', minimum: 0, maximum: 1000 },
    tags: { type: 'array', items: { enum: ['a', 'b'] }, maxItems: 3, uniqueItems: true },
    note: { type: ['string', 'null'] },
  },
  required: ['name', 'count'],
  additionalProperties: false,
};
const echo = ({ path, query, header, body }: Record<string, unknown>) => ({ path, query, header, body });

const parameter = (where: string, name: string, schema: object) => ({
  in: where,
  name,
  schema,
  required: true,
});

let service: ServiceUnderTest;

beforeAll(async () => {
  const content = { 'application/json': { schema: item } };
  service = await ServiceUnderTest.start({
    paths: {
      '/items/{id}': {
        post: operation('item', {
          parameters: [
            parameter('path', 'id', { type: 'string', maxLength: 30 }),
            parameter('query', 'n', { type: 'integer', minimum: -50, maximum: 50 }),
            parameter('query', 'text', { type: 'string', maxLength: 30 }),
            parameter('header', 'flag', { type: 'boolean' }),
          ],
          requestBody: { required: true, content },
        }),
      },
    },
    handlers: { item: echo },
  });
});

afterAll(() => ServiceUnderTest.closeAll());

/** JSON Schema counts characters, not code units (RFC 8259 section 7, JSON Schema 6.3). */
const text = (min: number, max: number) =>
  fc
    .array(fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }), { minLength: min, maxLength: max })
    .map((all) => all.join(''));

const allowed = fc.record({
  id: text(1, 30).filter((id) => id !== '.' && id !== '..'),
  n: fc.integer({ min: -50, max: 50 }),
  text: text(0, 30),
  flag: fc.boolean(),
  body: fc.record(
    {
      name: text(1, 20),
      count: fc.integer({ min: 0, max: 1000 }),
      tags: fc.uniqueArray(fc.constantFrom('a', 'b'), { maxLength: 3 }),
      note: fc.oneof(fc.constant(null), text(0, 20)),
    },
    { requiredKeys: ['name', 'count'] },
  ),
});

type Sent = Readonly<Record<'id' | 'n' | 'text' | 'flag' | 'body', unknown>>;

const encoded = (value: unknown) => encodeURIComponent(String(value));

const send = ({ id, n, text: words, flag, body }: Sent) =>
  service.post(`/items/${encoded(id)}?text=${encoded(words)}&n=${encoded(n)}`, JSON.stringify(body), {
    flag: String(flag),
  });

test('what the description allows gets through unchanged', async () => {
  await fc.assert(
    fc.asyncProperty(allowed, async (request) => {
      const answer = await send(request);
      expect(answer.status).toBe(200);
      expect(json(answer)).toEqual({
        path: { id: request.id },
        query: { n: request.n, text: request.text },
        header: { flag: request.flag },
        body: JSON.parse(JSON.stringify(request.body)) as unknown,
      });
    }),
    { numRuns: 100 },
  );
});

/** A change that makes one thing of an allowed request wrong, and where. */
const spoiling = (where: string, path: string, values: fc.Arbitrary<unknown>) =>
  values.map((value) => ({ where, path, value }));
const anyJson = fc.jsonValue();
const integers = /^-?\d+(\.0+)?(e\+?\d+)?$/i;

const spoiled = fc.oneof(
  spoiling('path', '/id', text(31, 60)),
  spoiling(
    'query',
    '/n',
    fc.integer().filter((n) => Math.abs(n) > 50),
  ),
  spoiling(
    'query',
    '/n',
    fc.string().filter((n) => !integers.test(n)),
  ),
  spoiling('query', '/text', text(31, 60)),
  spoiling('header', '/flag', fc.constantFrom('TRUE', '1', '', 'yes', 'null')),
  spoiling(
    'body',
    '/name',
    anyJson.filter((value) => !isName(value)),
  ),
  spoiling(
    'body',
    '/count',
    anyJson.filter((value) => !isCount(value)),
  ),
  spoiling(
    'body',
    '/note',
    anyJson.filter((value) => value !== null && typeof value !== 'string'),
  ),
  spoiling('body', '/tags', fc.constantFrom('a', {}, ['c'], ['a', 'a'], [['a']], null)),
);

function isName(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0 && Array.from(value).length <= 20;
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 1000;
}

test('what it forbids is a 400 that names the place, and no other', async () => {
  await fc.assert(
    fc.asyncProperty(allowed, spoiled, async (request, { where, path, value }) => {
      const change = { [path.slice(1)]: value };
      const sent = where === 'body' ? { body: { ...request.body, ...change } } : change;
      const answer = await send({ ...request, ...sent });
      expect(answer.status).toBe(400);
      const errors = json(answer)['errors'] as { in: string; path: string }[];
      expect(errors.length).toBeGreaterThan(0);
      for (const error of errors) {
        expect(error.in).toBe(where);
        expect(error.path.startsWith(path)).toBe(true);
      }
    }),
    { numRuns: 100 },
  );
});

test('any JSON as a body is taken or refused, never a 5xx', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue({ maxDepth: 8 }), async (body) => {
      const answer = await send({ id: 'a', n: 1, text: '', flag: true, body });
      expect([200, 400]).toContain(answer.status);
    }),
    { numRuns: 100 },
  );
});

test('any bytes as a body, of any type, are taken or refused, never a 5xx', async () => {
  const types = fc.oneof(
    fc.constantFrom('application/json', 'application/json; charset=utf-8', 'text/plain'),
    fc.string({ maxLength: 30 }),
  );
  const printable = types.map((type) => type.replaceAll(/[^\x20-\x7e]/g, '').trim());
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), printable, async (bytes, type) => {
      const answer = await service.post('/items/a?n=1&text=a', Buffer.from(bytes), {
        'Content-Type': type,
        flag: 'true',
      });
      expect([400, 415]).toContain(answer.status);
    }),
    { numRuns: 100 },
  );
});

test('any request target is matched or refused, never a 5xx', async () => {
  const target = fc.string({
    unit: fc.constantFrom(...'/items%2FaZ0?&=+.~#[]@:;,{}\\"<>|^`'.split('')),
    maxLength: 60,
  });
  await fc.assert(
    fc.asyncProperty(target, async (path) => {
      const answer = await service.request(`/${path}`);
      expect([400, 404, 405]).toContain(answer.status);
    }),
    { numRuns: 100 },
  );
});
