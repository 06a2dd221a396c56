import { readFileSync } from 'node:fs';
import type { Answer } from '../support/answer-parser';
import { ServiceUnderTest, json, operation } from './service-under-test';

/** What handlers of uploads were given: files by what they say of themselves. */
const told = ({ body }: { body: Record<string, unknown> }) => ({
  body: Object.fromEntries(
    Object.entries(body).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map(fileOr) : fileOr(value),
    ]),
  ),
});
const fileOr = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'path' in value && 'filename' in value
    ? { filename: value.filename, content: readFileSync(String(value.path), 'utf8') }
    : value;

const keep = ({ body }: { body: unknown }) => ({ body });
const point = {
  type: 'object',
  properties: { x: { type: 'integer' } },
  additionalProperties: false,
};
const binary = { type: 'string', format: 'binary' };
const nothing = { type: 'null' };

const posted = (id: string, type: string, schema: object, more: object = {}) => ({
  post: operation(id, {
    requestBody: { required: true, content: { [type]: { schema: { type: 'object', ...schema }, ...more } } },
  }),
});
const MULTIPART = 'multipart/form-data';
const FORM = 'application/x-www-form-urlencoded';

let service: ServiceUnderTest;

beforeAll(async () => {
  service = await ServiceUnderTest.start({
    paths: {
      '/files': posted('files', MULTIPART, {
        properties: {
          any: { anyOf: [binary, nothing] },
          one: { oneOf: [nothing, { $ref: '#/components/schemas/Png' }] },
          anyList: { anyOf: [{ type: 'array', items: binary }, nothing] },
          listOfAny: { type: 'array', items: { anyOf: [binary, nothing] } },
          base64: { anyOf: [{ $ref: '#/components/schemas/Png', contentEncoding: 'base64' }, nothing] },
          text: { anyOf: [{ type: 'string' }, nothing] },
          limited: {
            type: 'string',
            contentMediaType: 'image/png',
            minLength: 1,
            maxLength: 9,
            pattern: '^P',
          },
          limitedAny: { anyOf: [{ $ref: '#/components/schemas/Png', minLength: 1 }, nothing] },
          self: { $ref: '#/components/schemas/Self' },
        },
      }),
      '/needed': posted('needed', MULTIPART, { required: ['one'], properties: { one: binary } }),
      '/texts': posted('texts', 'application/json', {
        properties: Object.fromEntries(
          ['text/html', 'image/png'].map((type) => [
            type,
            { type: 'string', contentMediaType: type, minLength: 1, maxLength: 9 },
          ]),
        ),
      }),
      '/documents': posted(
        'documents',
        MULTIPART,
        {
          properties: {
            one: point,
            list: { type: 'array', items: point },
            orNull: { anyOf: [{ type: 'array', items: point }, nothing] },
            orText: { type: 'array', items: { type: ['object', 'string'] } },
            named: { type: 'array', items: { type: 'integer' } },
            count: { type: 'integer' },
          },
        },
        { encoding: { named: { contentType: 'application/json' } } },
      ),
      '/free': posted('free', MULTIPART, {
        properties: { 'a/b': { type: 'object' }, list: { type: 'array', items: { type: 'object' } } },
      }),
      '/free-form': posted('freeForm', FORM, { properties: { 'a/b': { type: 'object' } } }),
      '/parameters': {
        get: operation('parameters', {
          parameters: ['query', 'header', 'cookie'].map((where) => ({
            in: where,
            name: 'p',
            content: { 'application/json': { schema: {} } },
          })),
        }),
      },
      '/closed': posted('closed', MULTIPART, { properties: { one: point }, additionalProperties: false }),
      '/form': posted(
        'form',
        FORM,
        {
          properties: {
            point,
            list: { type: 'array', items: point },
            orText: { type: ['object', 'string'], additionalProperties: false },
            split: point,
            pairs: point,
            either: {
              anyOf: [
                { type: 'object', properties: { y: {} }, additionalProperties: false },
                { type: 'array', items: { type: 'string' } },
              ],
            },
            named: { type: 'object' },
            deep: { type: 'object' },
          },
        },
        {
          encoding: {
            split: { style: 'form', explode: false },
            pairs: { explode: false },
            deep: { style: 'deepObject', explode: true },
            named: { contentType: 'application/json' },
          },
        },
      ),
      '/objects': posted(
        'objects',
        FORM,
        { properties: { open: { type: 'object' }, deep: { type: 'object' } } },
        { encoding: { deep: { style: 'deepObject', explode: true } } },
      ),
    },
    components: {
      schemas: {
        Png: { type: 'string', contentMediaType: 'image/png' },
        Self: {
          anyOf: [{ type: 'string' }, { type: 'array', items: { $ref: '#/components/schemas/Self' } }],
        },
      },
    },
    handlers: {
      files: told,
      needed: told,
      texts: keep,
      documents: keep,
      closed: keep,
      form: keep,
      objects: keep,
      free: keep,
      freeForm: keep,
      parameters: ({ query, header, cookie }: Record<string, unknown>) => ({
        body: { query, header, cookie },
      }),
    },
  });
});

afterAll(() => ServiceUnderTest.closeAll());

const BOUNDARY = 'xYz';
const part = (name: string, content: string, more = '') =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${content}\r\n`;
const document = (name: string, content: string) => part(name, content, '\r\nContent-Type: application/json');
const png = (name: string) => part(name, 'PNG', '; filename="a.png"\r\nContent-Type: image/png');
const answered = (answer: Answer) => {
  const { body, detail, errors } = json(answer);
  return answer.status === 200 ? body : { status: answer.status, detail, errors };
};
const sent = async (path: string, type: string, body: string) =>
  answered(await service.request(path, { method: 'POST', body, headers: { 'Content-Type': type } }));
const upload = (path: string, ...parts: string[]) =>
  sent(path, `${MULTIPART}; boundary=${BOUNDARY}`, `${parts.join('')}--${BOUNDARY}--\r\n`);
const refused = (path: string) => ({ status: 400, errors: [{ in: 'body', path }] });

describe('a part that may be a file', () => {
  const file = { filename: 'a.png', content: 'PNG' };

  test.each<[string, unknown]>([
    ['any', file],
    ['one', file],
    ['anyList', [file]],
    ['listOfAny', [file]],
    ['limited', file],
    ['limitedAny', file],
    ['base64', 'PNG'],
    ['text', 'PNG'],
    ['self', 'PNG'],
  ])('is one where a branch of its schema says so: %s', async (name, value) => {
    expect(await upload('/files', png(name))).toEqual({ [name]: value });
  });
});

const empty = (name: string) => part(name, '', '; filename=""\r\nContent-Type: application/octet-stream');

describe('an input in which no file was chosen', () => {
  test('is no file', async () => {
    expect(await upload('/files', empty('any'), empty('anyList'), part('text', 'a'))).toEqual({ text: 'a' });
    expect(await upload('/files', empty('anyList'), png('anyList'))).toEqual({
      anyList: [{ filename: 'a.png', content: 'PNG' }],
    });
  });

  test('is missing where a file is required', async () => {
    const errors = [{ in: 'body', path: '/one', message: 'is required' }];
    expect(await upload('/needed', empty('one'))).toMatchObject({ status: 400, errors });
  });
});

test('one file that is sent twice is refused, and said to be more than one', async () => {
  const errors = [{ in: 'body', path: '/one', message: 'has more than one file' }];
  expect(await upload('/needed', png('one'), png('one'))).toMatchObject({ status: 400, errors });
});

test('a part of one object is no part of another, whose properties may be fields of their own', async () => {
  expect(await sent('/objects', FORM, 'deep[a]=1&other=2')).toEqual({
    deep: { a: '1' },
    open: { other: '2' },
  });
});

test('a fault of a nested name in a form is one of the body', async () => {
  const errors = [{ in: 'body', path: '/deep[__proto__]', message: 'is not allowed' }];
  expect(await sent('/form', FORM, 'deep[__proto__]=1')).toMatchObject({ status: 400, errors });
});

test.each([
  ['text/html', false],
  ['image/png', true],
])('a JSON text of type %s is taken as bytes, which have no least length: %s', async (type, isTaken) => {
  const answer = await service.post('/texts', { [type]: '' });
  expect(answer.status).toBe(isTaken ? 200 : 400);
  expect((await service.post('/texts', { [type]: 'x'.repeat(10) })).status).toBe(400);
});

describe('a part that is JSON', () => {
  test.each<[string, string[], unknown]>([
    ['each item of a list of objects', ['list:{"x":1}', 'list:{"x":2}'], { list: [{ x: 1 }, { x: 2 }] }],
    ['the only item of a list', ['list:{"x":1}'], { list: [{ x: 1 }] }],
    ['a whole list', ['list:[{"x":1},{"x":2}]'], { list: [{ x: 1 }, { x: 2 }] }],
    ['a list or null', ['orNull:{"x":1}'], { orNull: [{ x: 1 }] }],
    ['null', ['orNull:null'], { orNull: null }],
    ['not where its item may be a text', ['orText:7'], { orText: ['7'] }],
    ['by its encoding, item by item', ['named:1', 'named:2'], { named: [1, 2] }],
    ['by its encoding, as one item', ['named:1'], { named: [1] }],
    ['by its encoding, as a whole', ['named:[1,2]'], { named: [1, 2] }],
    [
      'an object beside an undeclared part of the same name as its property',
      ['one:{"x":1}', 'x:kept'],
      { one: { x: 1 }, x: 'kept' },
    ],
  ])('is read: %s', async (_, parts, body) => {
    const documents = parts.map((one) => {
      const colon = one.indexOf(':');
      return document(one.slice(0, colon), one.slice(colon + 1));
    });
    expect(await upload('/documents', ...documents)).toEqual(body);
  });

  test('is refused where it comes twice for one object, as a number is', async () => {
    expect(await upload('/documents', document('one', '{"x":1}'), document('one', '{"x":2}'))).toMatchObject(
      refused('/one'),
    );
    expect(await upload('/documents', part('count', '1'), part('count', '2'))).toMatchObject(
      refused('/count'),
    );
  });

  test('is refused for an item that is no object', async () => {
    expect(await upload('/documents', document('list', '{"x":1}'), document('list', '2'))).toMatchObject(
      refused('/list/1'),
    );
  });

  test('hides no part that its schema refuses', async () => {
    expect(await upload('/closed', document('one', '{"x":1}'), part('x', 'lost'))).toMatchObject(
      refused('/x'),
    );
  });
});

const encoded = (name: string, value: unknown) => `${name}=${encodeURIComponent(JSON.stringify(value))}`;

describe('an object in a form', () => {
  test.each<[string, unknown]>([
    [encoded('point', { x: 1 }), { point: { x: 1 } }],
    ['x=1', { point: { x: 1 } }],
    [`${encoded('point', { x: 1 })}&x=kept`, { point: { x: 1 }, x: 'kept' }],
    [`${encoded('list', { x: 1 })}&${encoded('list', { x: 2 })}`, { list: [{ x: 1 }, { x: 2 }] }],
    [encoded('list', { x: 1 }), { list: [{ x: 1 }] }],
    ['orText=7', { orText: '7' }],
    ['split=x,1', { split: { x: 1 } }],
    ['pairs=x,1', { pairs: { x: 1 } }],
    [encoded('either', { y: 1 }), { either: { y: 1 } }],
    [encoded('either', ['a']), { either: ['a'] }],
    [`${encoded('named', { a: 1 })}&b=2`, { named: { a: 1 }, b: '2' }],
    ['b=2', { b: '2' }],
  ])('is read: %s', async (body, value) => {
    expect(await sent('/form', FORM, body)).toEqual(value);
  });

  test.each([
    ['a text that is no JSON', 'point=x', '/point'],
    ['JSON of another type', 'point=7', '/point'],
    ['JSON where a style is declared', encoded('split', { x: 1 }), '/split'],
    ['a property of another type', encoded('point', { x: 'a' }), '/point/x'],
    ['two values', `${encoded('point', { x: 1 })}&${encoded('point', { x: 2 })}`, '/point'],
  ])('is refused for %s', async (_, body, path) => {
    expect(await sent('/form', FORM, body)).toMatchObject(refused(path));
  });
});

const BROKEN = [
  ['an integer', '{"n":[9007199254740993]}', '/n/0', expect.stringContaining('9007199254740993')],
  ['a key', '{"n":{"__proto__":1}}', '/n/__proto__', 'is not allowed'],
  ['depth', `${'['.repeat(101)}${']'.repeat(101)}`, '', 'is nested more than 100 levels deep'],
  ['depth without an end', '['.repeat(1001), '', 'is nested more than 100 levels deep'],
] as const;
const fault = (where: string, path: string, message: unknown) => ({
  status: 400,
  detail: `The ${where} can not be read.`,
  errors: [{ in: where, path, message }],
});

describe('JSON in a field or parameter is checked as a JSON body is', () => {
  test.each(BROKEN)('for %s', async (_, text, path, message) => {
    expect(await upload('/free', document('a/b', text))).toMatchObject(
      fault('body', `/a~1b${path}`, message),
    );
    expect(await sent('/free-form', FORM, `a/b=${encodeURIComponent(text)}`)).toMatchObject(
      fault('body', `/a~1b${path}`, message),
    );
    expect(answered(await service.request(`/parameters?p=${encodeURIComponent(text)}`))).toMatchObject(
      fault('query', `/p${path}`, message),
    );
    expect(answered(await service.request('/parameters', { headers: { p: text } }))).toMatchObject(
      fault('header', `/p${path}`, message),
    );
    expect(
      answered(
        await service.request('/parameters', { headers: { Cookie: `p=${encodeURIComponent(text)}` } }),
      ),
    ).toMatchObject(fault('cookie', `/p${path}`, message));
  });

  test('and the place of an item in its list is named', async () => {
    const broken = document('list', '{"n":9007199254740993}');
    const errors = [{ in: 'body', path: '/list/0/n' }];
    expect(await upload('/free', broken)).toMatchObject({ status: 400, errors });
    expect(await upload('/free', document('list', '{}'), broken)).toMatchObject({
      status: 400,
      errors: [{ in: 'body', path: '/list/1/n' }],
    });
    expect(await upload('/free', document('list', '[{"n":9007199254740993}]'))).toMatchObject({
      status: 400,
      errors,
    });
  });

  test('and is the value where it is sound', async () => {
    const answer = await service.request('/parameters?p={"a":[1]}', { headers: { p: '5', Cookie: 'p=x' } });
    expect(answered(answer)).toEqual({ query: { p: { a: [1] } }, header: { p: 5 }, cookie: { p: 'x' } });
  });
});
