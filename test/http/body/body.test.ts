import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { eventually } from '../../support/eventually';
import { rawExchange } from '../../support/exchange';
import { ServiceUnderTest, json, operation } from '../service-under-test';

const LIMIT = 4000;
const seen: unknown[] = [];
const echo = ({ body }: { body: unknown }) => {
  seen.push(body);
  return { body };
};
const posted = (id: string, content: object, required = true) => ({
  post: operation(id, { requestBody: { required, content } }),
});
const jsonContent = (schema: object) => ({ 'application/json': { schema } });

let service: ServiceUnderTest;

beforeAll(async () => {
  const tree = { type: 'object', properties: { child: { $ref: '#/components/schemas/Tree' } } };
  service = await ServiceUnderTest.start({
    paths: {
      '/any': posted('any', jsonContent({})),
      '/message': posted(
        'message',
        jsonContent({
          type: 'object',
          properties: { message: { type: 'string', minLength: 1 }, count: { type: 'integer' } },
          required: ['message'],
          additionalProperties: false,
        }),
      ),
      '/optional': posted('optional', jsonContent({ type: 'object' }), false),
      '/tree': posted('tree', jsonContent({ $ref: '#/components/schemas/Tree' })),
      '/inherited': posted(
        'inherited',
        jsonContent({
          type: 'object',
          properties: { constructor: { type: 'string' }, toString: { type: 'string' } },
          required: ['constructor'],
        }),
      ),
      '/none': { post: operation('none') },
    },
    components: { schemas: { Tree: tree } },
    handlers: Object.fromEntries(
      ['any', 'message', 'optional', 'tree', 'inherited', 'none'].map((id) => [id, echo]),
    ),
    env: { BODY_LIMIT: `${LIMIT}b` },
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

describe('a body that is too large', () => {
  const large = JSON.stringify({ message: 'x'.repeat(LIMIT) });

  test('is a 413, and ends its connection', async () => {
    const answer = await service.request('/message', {
      method: 'POST',
      body: large,
      headers: { 'Content-Type': 'application/json', Connection: 'keep-alive' },
    });
    expect(answer.status).toBe(413);
    expect(answer.headers.get('connection')).toBe('close');
    expect(seen).toEqual([]);
  });

  test('is one without a length too', async () => {
    const answer = await rawExchange(
      service.port,
      `POST /message HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n` +
        `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`,
      { answers: 1 },
    );
    expect(answer.answers[0]?.status).toBe(413);
  });

  test('is measured after it has been inflated, and a bomb is not inflated further', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000, ' '));
    const before = process.memoryUsage().rss;
    const answer = await service.post('/message', bomb, { 'Content-Encoding': 'gzip' });
    expect(answer.status).toBe(413);
    expect(process.memoryUsage().rss - before).toBeLessThan(20_000_000);
  });

  test('is not one when it is just as large as allowed', async () => {
    const body = JSON.stringify({ message: 'x'.repeat(LIMIT - '{"message":""}'.length) });
    expect(body.length).toBe(LIMIT);
    expect((await service.post('/message', body)).status).toBe(200);
    expect((await service.post('/message', gzipSync(body), { 'Content-Encoding': 'gzip' })).status).toBe(200);
  });
});

describe('a body', () => {
  test.each([
    ['', 'is required'],
    ['{', 'is not JSON'],
    ['{"a":1}x', 'is not JSON'],
    ['\ufeff{}', 'is not JSON'],
    ["{'a':1}", 'is not JSON'],
    ['NaN', 'is not JSON'],
    [Buffer.from([0x22, 0xff, 0x22]), 'is not UTF-8'],
    [Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'is not UTF-8'],
    ['['.repeat(101) + ']'.repeat(101), 'is nested more than 100 levels deep'],
    ['['.repeat(500), 'is not JSON'],
    ['['.repeat(1001), 'is nested more than 100 levels deep'],
    [`[${'{},'.repeat(1000)}${'['.repeat(100)}${']'.repeat(101)}`, 'is nested more than 100 levels deep'],
    [`[1e30,${'['.repeat(100)}${']'.repeat(100)}]`, 'is nested more than 100 levels deep'],
    [`{"a":1e30,"b":${'['.repeat(100)}${']'.repeat(100)}}`, 'is nested more than 100 levels deep'],
    ['{"a":'.repeat(150) + '1' + '}'.repeat(150), 'is nested more than 100 levels deep'],
  ])('%s is refused: %s', async (body, message) => {
    const answer = await service.post('/any', body);
    expect(answer.status).toBe(400);
    expect(json(answer)['errors']).toEqual([
      { in: 'body', path: '', message: expect.stringContaining(message) as string },
    ]);
    expect(seen).toEqual([]);
  });

  test.each([
    ['{"text":"' + '['.repeat(200) + '"}', { text: '['.repeat(200) }],
    ['{"text":"\\"' + '{'.repeat(200) + '\\\\"}', { text: '"' + '{'.repeat(200) + '\\' }],
    ['null', null],
    ['0', 0],
    ['"a"', 'a'],
    ['""', ''],
    [' [] ', []],
    ['{"a":1,"a":2}', { a: 2 }],
    ['"\\ud800"', '\ud800'],
    ['"\\u0000\ufffd€😀"', '\u0000\ufffd€😀'],
    [
      '{"constructor":1,"prototype":{"a":1},"toString":2}',
      { constructor: 1, prototype: { a: 1 }, toString: 2 },
    ],
    [`{"a":"${'[{\\"'.repeat(80)}"}`, { a: '[{"'.repeat(80) }],
    [
      `{"a":1e30,"b":[${'{},'.repeat(1000)}[]]}`,
      { a: 1e30, b: [...Array.from({ length: 1000 }, () => ({})), []] },
    ],
    ['['.repeat(100) + ']'.repeat(100), JSON.parse('['.repeat(100) + ']'.repeat(100))],
  ])('%s gets through', async (body, value) => {
    expect((await service.post('/any', body)).status).toBe(200);
    expect(seen).toEqual([value]);
  });

  test.each(['{"__proto__":{"polluted":1}}', '{"a":[{"\\u005f_proto__":1}]}', '{"__proto\\u005f_":null}'])(
    '%s is refused, and pollutes nothing',
    async (body) => {
      const answer = await service.post('/any', body);
      expect(answer.status).toBe(400);
      expect(json(answer)['errors']).toEqual([
        { in: 'body', path: expect.stringMatching(/\/__proto__$/) as string, message: 'is not allowed' },
      ]);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    },
  );

  test('has only what it has itself', async () => {
    expect(json(await service.post('/inherited', {}))['errors']).toEqual([
      { in: 'body', path: '/constructor', message: 'is required' },
    ]);
    expect((await service.post('/inherited', { constructor: 'a', toString: 'b' })).status).toBe(200);
  });

  test('is never converted', async () => {
    expect(json(await service.post('/message', { message: 1, count: '1' }))['errors']).toEqual([
      { in: 'body', path: '/message', message: 'must be string' },
      { in: 'body', path: '/count', message: 'must be integer' },
    ]);
  });

  test('that is optional may be missing, but not be of another type', async () => {
    expect((await service.request('/optional', { method: 'POST' })).status).toBe(200);
    expect((await service.request('/optional', { method: 'POST', body: '' })).status).toBe(200);
    expect(seen).toEqual([undefined, undefined]);
    expect((await sent('/optional', 'text/plain')).status).toBe(415);
    expect((await service.post('/optional', '[]')).status).toBe(400);
  });

  test('that is not declared is not read', async () => {
    expect((await service.post('/none', '{')).status).toBe(200);
    expect(seen).toEqual([undefined]);
  });

  test('with more faults than anyone reads is answered with the first', async () => {
    const errors = json(
      await service.post('/message', Object.fromEntries(Array.from({ length: 110 }, (_, i) => [i, 1]))),
    );
    expect(errors['errors']).toHaveLength(100);
  });
});

const head = (type: string, length = 15) =>
  `POST /message HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\n\r\n`;

test('a body of no chunks is missing', async () => {
  const { answers } = await rawExchange(
    service.port,
    'POST /any HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    { answers: 1 },
  );
  expect(answers[0]?.status).toBe(400);
  expect(answers[0]?.body.toString()).toContain('is required');
});

describe('a client that waits for 100 Continue', () => {
  test('gets it when its body is wanted', async () => {
    const socket = connect(service.port, '127.0.0.1');
    socket.write(head('application/json'));
    expect(String((await once(socket, 'data'))[0])).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write('{"message":"a"}');
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /);
    socket.destroy();
  });

  test('does not get it in HTTP/1.0, which has none', async () => {
    const bytes = `${head('application/json').replace('HTTP/1.1', 'HTTP/1.0')}{"message":"a"}`;
    expect((await rawExchange(service.port, bytes)).text).toMatch(/^HTTP\/1\.1 200 /);
  });

  test.each([
    ['is not of a declared type', 415, head('text/plain')],
    ['is too large', 413, head('application/json', LIMIT + 1)],
  ])('does not get it when its body %s, and has to start anew', async (_why, status, bytes) => {
    const { text, closedAfterMs } = await rawExchange(service.port, bytes);
    expect(text).toMatch(`HTTP/1.1 ${status} `);
    expect(text).not.toMatch('100 Continue');
    expect(text.toLowerCase()).toContain('connection: close');
    expect(closedAfterMs).toBeDefined();
  });
});

test('a client that leaves in its upload is no error of ours', async () => {
  const logged = service.log.length;
  const socket = connect(service.port, '127.0.0.1');
  socket.write(
    'POST /message HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"mess',
  );
  await eventually('the request is in progress', 5000, () => service.metrics.inProgress === 1);
  socket.destroy();
  await eventually('it is in the log', 5000, () => service.log.length > logged);
  expect(service.log.slice(logged)).toMatchObject([{ level: 20, err: { code: 'ECONNABORTED' } }]);
  expect(service.counted).toContainEqual(['/message', 499]);
  expect(seen).toEqual([]);
});
