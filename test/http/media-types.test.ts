import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import type { Context } from 'koa';
import { ServiceUnderTest, json, operation } from './service-under-test';

const seen: unknown[] = [];
const echo = ({ body }: { body: unknown }) => {
  seen.push(body);
  return { body };
};

const post = (id: string, content: object) => ({
  post: operation(id, { requestBody: { required: true, content } }),
});

let service: ServiceUnderTest;

beforeAll(async () => {
  const message = { type: 'object', properties: { message: { type: 'string' } }, required: ['message'] };
  service = await ServiceUnderTest.start({
    paths: {
      '/message': post('message', { 'application/json': { schema: message } }),
      '/types': post('types', {
        'application/merge-patch+json': { schema: { type: 'object' } },
        'text/plain': { schema: { type: 'string', maxLength: 5 } },
      }),
    },
    handlers: { message: echo, types: echo },
  });
});

afterAll(() => ServiceUnderTest.closeAll());

beforeEach(() => seen.splice(0));

const sent = (path: string, type: string | undefined, body: string | Buffer = '{"message":"a"}') =>
  service.request(path, {
    method: 'POST',
    body,
    headers: type === undefined ? {} : { 'Content-Type': type },
  });

describe('a media type that is declared is taken', () => {
  test.each([
    'application/json',
    'application/json;charset=utf-8',
    'APPLICATION/Json ; Charset="UTF-8"',
    'application/json\t;\tcharset=utf-8',
    'application/json;charset=utf8',
    'application/json;charset=us-ascii',
    'application/json;',
    'application/json; profile="a;b=\\"c"; charset=utf-8',
  ])('%j', async (type) => {
    expect((await sent('/message', type)).status).toBe(200);
    expect(seen).toEqual([{ message: 'a' }]);
  });
});

describe('any other media type is a 415, whatever the body', () => {
  test.each([
    undefined,
    'text/plain',
    'application/merge-patch+json',
    'application/json, text/plain',
    'application/json; charset=iso-8859-1',
    'application/json; charset=utf-16',
    'application/json; charset=utf-8; charset=utf-7',
    'application/json; charset=utf-7; charset=utf-8',
    'application/json charset=utf-8',
    'application/json; charset',
    'application /json',
    'application/',
    'json',
    '*/*',
    '__proto__',
  ])('%j', async (type) => {
    const answer = await sent('/message', type);
    expect(answer.status).toBe(415);
    expect(answer.headers.get('accept')).toBe('application/json');
    expect(json(answer)['title']).toBe('Unsupported Media Type');
    expect(seen).toEqual([]);
  });
});

test('each declared type has its own format and schema', async () => {
  await sent('/types', 'application/merge-patch+json', '{"a":1}');
  await sent('/types', 'text/plain', '{"a"}');
  expect(seen).toEqual([{ a: 1 }, '{"a"}']);
  expect(json(await sent('/types', 'text/plain', '123456'))['errors']).toEqual([
    { in: 'body', path: '', message: 'must NOT have more than 5 characters' },
  ]);
  expect((await sent('/types', 'application/json', '{}')).headers.get('accept')).toBe(
    'application/merge-patch+json, text/plain',
  );
});

const text = '{"message":"a"}';
const coded = (coding: string, body: Buffer | string) =>
  service.post('/message', body, { 'Content-Encoding': coding });

describe('a content coding', () => {
  test.each([
    ['gzip', gzipSync(text)],
    ['x-gzip', gzipSync(text)],
    ['GZIP', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['br', brotliCompressSync(text)],
    ['gzip, identity,', gzipSync(text)],
    ['identity', Buffer.from(text)],
    ['', Buffer.from(text)],
    [' , ', Buffer.from(text)],
  ])('%j is undone', async (coding, body) => {
    expect((await coded(coding, body)).status).toBe(200);
    expect(seen).toEqual([{ message: 'a' }]);
  });

  test.each(['zstd', 'gzip, gzip', 'gzip, br', 'compress'])('%j is a 415', async (coding) => {
    const answer = await coded(coding, gzipSync(text));
    expect(answer.status).toBe(415);
    expect(answer.headers.get('accept-encoding')).toBe('gzip, deflate, br');
  });

  test.each([
    ['of what is not coded', Buffer.from(text)],
    ['that is cut off', gzipSync(text).subarray(0, -10)],
    ['that is broken', Buffer.concat([gzipSync(text).subarray(0, 12), Buffer.alloc(20, 1)])],
  ])('%s is a 400', async (_, body) => {
    expect((await coded('gzip', body)).status).toBe(400);
    expect(seen).toEqual([]);
  });
});

const only = (key: string) => ({ schema: { type: 'object', required: [key] } });
const answers = (content: object) => ({ responses: { 200: { description: 'It.', content } } });

describe('types that differ in a parameter have schemas of their own', () => {
  const versions = { 'application/json;v=1': only('one'), 'application/json; V=2; p="a;b"': only('two') };
  const paths = {
    '/versions': post('versions', versions),
    '/plain': post('plain', { ...versions, 'application/json; charset=utf-8': only('plain') }),
    '/range': post('range', { 'application/json;v=1': only('one'), 'application/*;q=1': {} }),
    '/answer': { post: { operationId: 'answer', ...answers(versions) } },
    '/minimal': {
      get: operation('minimal', answers({ 'application/json;odata.metadata=minimal;charset=utf-8': {} })),
    },
    '/picture': { get: operation('picture', answers({ 'image/svg+xml; A="b c"': {} })) },
  };

  beforeAll(async () => {
    service = await ServiceUnderTest.start({
      paths,
      handlers: {
        versions: echo,
        plain: echo,
        range: () => ({}),
        answer: (_request: unknown, ctx: Context) => {
          ctx.type = ctx.get('X-Type');
          return { [ctx.get('X-Key')]: 1 };
        },
        minimal: () => ({}),
        picture: () => '<svg/>',
      },
    });
  });

  test.each([
    ['/versions', 'application/json;v=1', 'one'],
    ['/versions', 'Application/JSON ; V="1"; charset=UTF-8', 'one'],
    ['/versions', 'application/json;p="a\\;b";v=2', 'two'],
    ['/versions', 'application/json', 'two'],
    ['/versions', 'application/json;v=3', 'two'],
    ['/plain', 'application/json; v=1', 'one'],
    ['/plain', 'application/json', 'plain'],
    ['/plain', 'application/json; charset=utf-8', 'plain'],
    ['/plain', 'application/json;v=2', 'plain'],
    ['/range', 'application/json', 'one'],
  ])('of %s, %s is checked by %s', async (path, type, key) => {
    expect((await sent(path, type, JSON.stringify({ [key]: 1 }))).status).toBe(200);
    expect((await sent(path, type, '{"other":1}')).status).toBe(400);
  });

  test('a range with a parameter takes what no other entry takes', async () => {
    expect((await sent('/range', 'application/pdf', 'a')).status).toBe(200);
  });

  test('a 415 says the parameters', async () => {
    const accept = 'application/json;v=1, application/json;p="a;b";v=2';
    expect((await sent('/versions', 'text/plain')).headers.get('accept')).toBe(accept);
  });

  test.each([
    ['application/json; v=1', 'one', 200],
    ['application/json; v=1', 'two', 500],
    ['application/json; p="a;b"; v=2', 'two', 200],
    ['application/json; v=3', 'two', 200],
  ])('an answer of %s with %s is a %d', async (type, key, status) => {
    const headers = { 'X-Type': type, 'X-Key': key };
    expect((await service.request('/answer', { method: 'POST', headers })).status).toBe(status);
  });

  test.each([
    ['/minimal', 'application/json;odata.metadata=minimal; charset=utf-8'],
    ['/picture', 'image/svg+xml;a="b c"'],
  ])('%s is answered as %s', async (path, type) => {
    const answer = await service.request(path);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, type]);
  });
});
