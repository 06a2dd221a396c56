import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import type { Context } from 'koa';
import { eventually } from '../support/eventually';
import { rawExchange } from '../support/exchange';
import { ServiceUnderTest, json, operation } from './service-under-test';

interface Request {
  readonly body: unknown;
}

/** What the handlers that read a body by themselves ended with. */
const ends: unknown[] = [];
const readAll = async (stream: Readable) => {
  const read = await text(stream).catch((error: unknown) => (ends.push(error), ''));
  return { read };
};

const handlers = {
  parsed: ({ body }: Request) => ({ body }),
  uploaded: ({ body }: Request) => ({ body }),
  streamed: ({ body }: Request) => readAll(body as Readable), // its type is not known here
  raw: (_: unknown, ctx: Context) => readAll(ctx.req),
  begun: async (_: unknown, ctx: Context) => {
    ctx.respond = false;
    ctx.res.write('half an answer');
    await text(ctx.req).catch((error: unknown) => ends.push(error));
  },
};

const DECLARED: Record<string, object> = {
  parsed: { 'application/json': { schema: { type: 'object' } } },
  uploaded: { 'multipart/form-data': { schema: { type: 'object' } } },
  streamed: { 'application/octet-stream': {} },
};

const TYPES: Record<string, [type: string, first: string, rest: string]> = {
  parsed: ['application/json', '{"a":', '1}'],
  uploaded: [
    'multipart/form-data; boundary=x',
    '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1',
    '\r\n--x--\r\n',
  ],
  streamed: ['application/octet-stream', 'a', 'b'],
  raw: ['text/plain', 'a', 'b'],
  begun: ['text/plain', 'a', 'b'],
};

function start(ms: number, env: Record<string, string> = {}): Promise<ServiceUnderTest> {
  const paths = Object.keys(handlers).map((id) => {
    const content = DECLARED[id];
    const more = { 'x-request-timeout': ms, ...(content && { requestBody: { content } }) };
    return [`/${id}`, { post: operation(id, more) }];
  });
  return ServiceUnderTest.start({ paths: Object.fromEntries(paths) as object, handlers, env });
}

/** Sends a request whose body is complete after this time, or never. */
function upload(service: ServiceUnderTest, id: string, afterMs?: number) {
  const [type, first, rest] = TYPES[id] ?? ['', '', ''];
  const header = `POST /${id} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Length: ${first.length + rest.length}`;
  const parts = afterMs === undefined ? [] : [{ afterMs, bytes: rest }];
  return rawExchange(service.port, `${header}\r\n\r\n${first}`, { parts, deadlineMs: 5_000 });
}

/** Longer than the shorter time of these tests, and than Node's next look for late requests. */
const LATE_MS = 1_700;

beforeEach(() => ends.splice(0));

afterEach(() => ServiceUnderTest.closeAll());

describe('x-request-timeout', () => {
  test.each(['parsed', 'uploaded', 'streamed', 'raw'])(
    'gives a body (%s) more time than REQUEST_TIMEOUT_MS',
    async (id) => {
      const service = await start(60_000, { REQUEST_TIMEOUT_MS: '300' });
      const { answers } = await upload(service, id, LATE_MS);
      expect(answers.map(({ status }) => status)).toEqual([200]);
      expect(ends).toEqual([]);
    },
  );

  test.each(['parsed', 'uploaded', 'streamed', 'raw'])(
    'gives a body (%s) less time, and then it is a 408 of the operation',
    async (id) => {
      const service = await start(200);
      const { answers } = await upload(service, id);
      expect(answers.map((answer) => [answer.status, answer.headers.get('content-type')])).toEqual([
        [408, 'application/problem+json'],
      ]);
      expect(answers.map(json)).toMatchObject([{ detail: 'The request did not arrive in time.' }]);
      expect(service.counted).toEqual([[`/${id}`, 408]]);
      if (id === 'streamed' || id === 'raw')
        await eventually('the handler learns of it', 5_000, () => ends.length === 1);
      expect(service.log.filter(({ level }) => Number(level) > 20)).toEqual([]);
    },
  );

  test('breaks off an answer that has begun', async () => {
    const service = await start(200);
    const { text: sent, malformed, closedAfterMs } = await upload(service, 'begun');
    expect(sent).toContain('half an answer');
    expect(malformed).toBeDefined();
    expect(closedAfterMs).toBeLessThan(5_000);
    await eventually('it is counted', 5_000, () => service.counted.length === 1);
    expect(service.counted).toEqual([['/begun', 200]]);
  });

  test('holds for one request, not for the next one of its connection', async () => {
    const service = await start(200);
    const post =
      'POST /parsed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';
    const { answers } = await rawExchange(service.port, post, {
      parts: [{ afterMs: 600, bytes: post }],
      answers: 2,
    });
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  });

  test('does not hold for a header: one that never ends is late as anywhere', async () => {
    const service = await start(60_000, { REQUEST_TIMEOUT_MS: '300' });
    const post =
      'POST /parsed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';
    const { answers } = await rawExchange(service.port, `${post}POST /parsed HTTP/1.1\r\n`);
    expect(answers.map(({ status }) => status)).toEqual([200, 408]);
  });

  test('leaves other operations with the time of the service', async () => {
    const service = await ServiceUnderTest.start({
      paths: { '/raw': { post: operation('raw'), put: operation('slow', { 'x-request-timeout': 60_000 }) } },
      handlers: { raw: handlers.raw, slow: handlers.raw },
      env: { REQUEST_TIMEOUT_MS: '300' },
    });
    const { answers } = await upload(service, 'raw');
    expect(answers.map(({ status }) => status)).toEqual([408]);
  });
});
