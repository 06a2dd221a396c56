import { existsSync, readFileSync, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { eventually } from '../support/eventually';
import { ServiceUnderTest, json, operation } from './service-under-test';

const seen: unknown[] = [];
const keep = ({ body }: { body: unknown }) => {
  seen.push(body);
  return { body };
};
/** A handler that looks at its files while it runs. */
const look = ({ body }: { body: Record<string, { path: string }> }) => {
  const files = Object.values(body)
    .flat()
    .filter((value) => typeof value === 'object' && 'path' in value);
  seen.push(...files);
  return files.map(({ path, ...told }) => ({
    ...told,
    content: readFileSync(path, 'utf8'),
    mode: statSync(path).mode % 0o1000,
  }));
};
const measure = async ({ body }: { body: Readable }) => ({ length: (await text(body)).length });

const post = (id: string, content: object, more: object = {}) => ({
  post: operation(id, { requestBody: { required: true, content }, ...more }),
});
const file = { type: 'string', contentMediaType: 'image/png' };

let service: ServiceUnderTest;

beforeAll(async () => {
  service = await ServiceUnderTest.start({
    paths: {
      '/form': post('form', {
        'application/x-www-form-urlencoded': {
          schema: {
            type: 'object',
            required: ['name'],
            properties: {
              name: { type: 'string', maxLength: 5 },
              age: { type: 'integer' },
              tags: { type: 'array', items: { type: 'integer' } },
              card: {
                type: 'object',
                properties: {
                  number: { type: 'integer' },
                  holder: { type: 'object', properties: { sane: { type: 'boolean' } } },
                },
              },
              size: { type: 'string', default: 'L' },
            },
          },
          encoding: { card: { style: 'deepObject', explode: true } },
        },
      }),
      '/upload': post(
        'upload',
        {
          'multipart/form-data': {
            schema: {
              type: 'object',
              required: ['picture'],
              properties: {
                title: { type: 'string', maxLength: 5 },
                count: { type: 'integer' },
                meta: { type: 'object', properties: { a: { type: 'integer' } } },
                picture: file,
                more: { type: 'array', items: { type: 'string', format: 'binary' }, maxItems: 2 },
              },
            },
          },
        },
        { 'x-body-limit': 2000 },
      ),
      '/picture': post(
        'picture',
        { 'image/*': { schema: { type: 'string', format: 'binary' } } },
        { 'x-body-limit': 10 },
      ),
      '/bytes': post('bytes', { 'application/octet-stream': {} }),
      '/large': post('large', { 'application/json': { schema: {} } }, { 'x-body-limit': 30_000_000 }),
      '/any': post('any', { 'application/json': { schema: { type: 'object' } }, '*/*': {} }),
      '/defaults': post('defaults', {
        'application/json': {
          schema: {
            type: 'object',
            properties: {
              n: { type: 'integer', default: 3 },
              nested: { type: 'object', properties: { deep: { default: [1] } } },
              list: { type: 'array', items: { $ref: '#/components/schemas/Item' } },
              pet: {
                oneOf: [
                  { properties: { kind: { const: 'cat' }, lives: { default: 9 } }, required: ['kind'] },
                  { properties: { kind: { const: 'dog' }, tricks: { default: 0 } }, required: ['kind'] },
                ],
              },
            },
          },
        },
      }),
    },
    components: {
      schemas: { Item: { type: 'object', properties: { size: { type: 'string', default: 'S' } } } },
    },
    handlers: {
      form: keep,
      large: () => ({}),
      upload: look,
      picture: measure,
      bytes: measure,
      any: async ({ body }: { body: unknown }) => ({
        body:
          typeof body === 'object' && body !== null && 'pipe' in body ? await text(body as Readable) : body,
      }),
      defaults: ({ body }: { body: unknown }) => body,
    },
  });
});

afterAll(() => ServiceUnderTest.closeAll());

beforeEach(() => seen.splice(0));

const send = (path: string, type: string, body: string | Buffer, headers: Record<string, string> = {}) =>
  service.request(path, { method: 'POST', body, headers: { 'Content-Type': type, ...headers } });

const untyped = (path: string) => service.request(path, { method: 'POST', body: 'a,b' });

const form = (body: string) => send('/form', 'application/x-www-form-urlencoded', body);

describe('a form', () => {
  test('is converted and validated as its schema says, and gets its defaults', async () => {
    const answer = await form(
      'name=A+%26B&age=7&tags=1&tags=2&card[number]=42&card[holder][sane]=true&other=x',
    );
    expect(json(answer)).toEqual({
      body: {
        name: 'A &B',
        age: 7,
        tags: [1, 2],
        card: { number: 42, holder: { sane: true } },
        size: 'L',
        other: 'x',
      },
    });
  });

  test.each([
    ['a field that is missing', 'age=1', '/name'],
    ['a field of another type', 'name=a&age=x', '/age'],
    ['a text that is too long', 'name=abcdef', '/name'],
    ['an item of another type', 'name=a&tags=x', '/tags/0'],
    ['a property of another type', 'name=a&card[number]=x', '/card/number'],
  ])('is refused for %s', async (_, body, path) => {
    const answer = await form(body);
    expect([answer.status, json(answer)['errors']]).toMatchObject([400, [{ in: 'body', path }]]);
  });

  test('pollutes no prototype', async () => {
    expect((await form('name=a&card[__proto__][x]=1')).status).toBe(400);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });
});

const BOUNDARY = 'xYz';
const part = (headers: string, content: string) =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; ${headers}\r\n\r\n${content}\r\n`;
const multipart = (...parts: string[]) =>
  send('/upload', `multipart/form-data; boundary=${BOUNDARY}`, `${parts.join('')}--${BOUNDARY}--\r\n`);
const picture = part('name="picture"; filename="../../a b.png"\r\nContent-Type: image/png', 'PNG');

describe('a multipart body', () => {
  test('has its fields validated and its files on disk, for the owner only, until the request is answered', async () => {
    const answer = await multipart(
      part('name="title"', 'Ada'),
      part('name="count"', '7'),
      part('name="meta"', '{"a":1}'),
      picture,
      part('name="more"; filename="m.txt"\r\nContent-Type: text/plain', 'more'),
    );
    expect(JSON.parse(answer.body.toString())).toEqual([
      { filename: 'a b.png', type: 'image/png', size: 3, content: 'PNG', mode: 0o600 },
      { filename: 'm.txt', type: 'text/plain', size: 4, content: 'more', mode: 0o600 },
    ]);
    const paths = (seen as { path: string }[]).map(({ path }) => path);
    expect(paths).toHaveLength(2);
    await eventually('the files are gone', 5000, () => !paths.some((path) => existsSync(path)));
  });

  test.each([
    ['a file that is missing', [part('name="title"', 'Ada')], '/picture'],
    ['a field that is too long', [picture, part('name="title"', 'abcdef')], '/title'],
    ['a field of another type', [picture, part('name="count"', 'x')], '/count'],
    ['a document of another type', [picture, part('name="meta"', '{"a":"b"}')], '/meta/a'],
    [
      'too many files',
      [picture, ...['1', '2', '3'].map((name) => part(`name="more"; filename="${name}"`, ''))],
      '/more',
    ],
  ])('is refused for %s', async (_, parts, path) => {
    const answer = await multipart(...parts);
    expect([answer.status, json(answer)['errors']]).toMatchObject([400, [{ in: 'body', path }]]);
    expect(seen).toEqual([]);
  });

  test('is refused above its limit, which the answer names', async () => {
    const answer = await multipart(part('name="picture"; filename="a"', 'x'.repeat(3000)));
    expect([answer.status, json(answer)['detail']]).toEqual([
      413,
      'The body is too large: it may have 2000 bytes.',
    ]);
  });

  test.each([
    ['without a boundary', 'multipart/form-data', 'a'],
    [
      'that is cut off',
      `multipart/form-data; boundary=${BOUNDARY}`,
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="picture"; filename="a"\r\n\r\nx`,
    ],
  ])('%s is a 400', async (_, type, body) => {
    expect((await send('/upload', type, body)).status).toBe(400);
  });
});

describe('any other type', () => {
  test('is a stream for the handler', async () => {
    expect(json(await send('/picture', 'IMAGE/PNG; q=1', 'PNG'))).toEqual({ length: 3 });
    expect(json(await send('/any', 'text/csv; charset=latin1', 'a,b'))).toEqual({ body: 'a,b' });
    expect(json(await send('/any', 'application/json', '{"a":1}'))).toEqual({ body: { a: 1 } });
  });

  test('is that of bytes where the body has none', async () => {
    expect(json(await untyped('/any'))).toEqual({ body: 'a,b' });
    expect(json(await untyped('/bytes'))).toEqual({ length: 3 });
    expect((await untyped('/picture')).status).toBe(415);
    expect((await untyped('/form')).status).toBe(415);
  });

  test('is inflated, and counted after that', async () => {
    expect(
      json(await send('/picture', 'image/png', gzipSync('PNG'), { 'Content-Encoding': 'gzip' })),
    ).toEqual({ length: 3 });
    const bomb = await send('/picture', 'image/png', gzipSync('x'.repeat(10_000)), {
      'Content-Encoding': 'gzip',
    });
    expect(bomb.status).toBe(413);
    expect((await send('/picture', 'image/png', 'no gzip', { 'Content-Encoding': 'gzip' })).status).toBe(400);
  });

  test('is a 413 above its limit', async () => {
    expect((await send('/picture', 'image/png', 'x'.repeat(11))).status).toBe(413);
  });

  test('is a 415 outside of the range, and a 400 where it is missing', async () => {
    expect((await send('/picture', 'text/plain', 'a')).status).toBe(415);
    const none = await service.request('/picture', { method: 'POST' });
    expect([none.status, json(none)['errors']]).toMatchObject([
      400,
      [{ in: 'body', path: '', message: 'is required' }],
    ]);
  });
});

test('defaults are put into a body where it has nothing, those of a choice by the branch that took it', async () => {
  expect(json(await service.post('/defaults', {}))).toEqual({ n: 3 });
  expect(
    json(
      await service.post('/defaults', { n: 4, nested: {}, list: [{}, { size: 'M' }], pet: { kind: 'dog' } }),
    ),
  ).toEqual({
    n: 4,
    nested: { deep: [1] },
    list: [{ size: 'S' }, { size: 'M' }],
    pet: { kind: 'dog', tricks: 0 },
  });
});

test('a text of many megabytes with digits is taken', async () => {
  const long = '1234567890123456'.padEnd(20_000_000, 'a');
  const answer = await service.post('/large', JSON.stringify([long]));
  expect(answer.status).toBe(200);
});

test.each([
  '9007199254740993',
  '-154284075601887489',
  '100000000000000000000',
  '9007199254740993.0',
  '9.007199254740993e15',
  '90071992547409.93E2',
  '9007199254740993e0',
  '1e400',
  '-1.5E+309',
])('the number %s is refused, as it could not be kept, and its place is named', async (integer) => {
  const answer = await service.post('/any', `{"n":1,"ids":["${integer}",{"a/b":${integer}}]}`);
  expect([answer.status, json(answer)['errors']]).toEqual([
    400,
    [{ in: 'body', path: '/ids/1/a~1b', message: expect.stringContaining(integer) }],
  ]);
});

test.each([
  '9007199254740991',
  '"9007199254740993"',
  '1.1234567890123456789',
  '9007199254740991.0',
  '1e300',
  '1.2345678901234568e+25',
  '9.0071992547409925e15',
  '12e20',
])('%s is kept', async (value) => {
  expect((await service.post('/any', `{"id":${value}}`)).status).toBe(200);
});

test('a number with a million zeros in its midst takes no time', async () => {
  const answer = await service.post('/large', `{"id":1.${'0'.repeat(1_000_000)}1e20}`);
  expect(answer.status).toBe(200);
});
