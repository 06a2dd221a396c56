import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { rawExchange } from '../../support/exchange';
import { ServiceUnderTest, json, operation } from '../service-under-test';

let service: ServiceUnderTest;

const taken = (id: string, required: boolean, content: object) => ({
  post: operation(id, { requestBody: { required, content } }),
});

const FORM = 'application/x-www-form-urlencoded';
const fields = { type: 'object', properties: { box: { type: 'string' } }, additionalProperties: false };

beforeAll(async () => {
  service = await ServiceUnderTest.start({
    paths: {
      '/all': taken('all', true, {
        [FORM]: { schema: fields },
        'text/plain': { schema: { type: 'string' } },
        'application/octet-stream': {},
        'application/json': { schema: {} },
        'multipart/form-data': { schema: fields },
      }),
      '/optional': taken('optional', false, { 'application/json': { schema: {} } }),
    },
    handlers: {
      all: async ({ body }: { body: Readable | object }) => ({
        body: typeof body === 'object' && 'pipe' in body ? `stream ${await text(body)}` : body,
      }),
      optional: ({ body }: { body: unknown }) => ({ body: body ?? 'none' }),
    },
  });
});

afterAll(() => ServiceUnderTest.closeAll());

const LENGTHS = { 'Content-Length: 0': '', 'Transfer-Encoding: chunked': '0\r\n\r\n' };

/** Posts no byte, in both ways, and returns what both are answered. */
async function postNothing(path: string, type: string | undefined): Promise<[number, unknown][]> {
  const header = type === undefined ? '' : `Content-Type: ${type}\r\n`;
  const sent = Object.entries(LENGTHS).map(async ([length, end]): Promise<[number, unknown]> => {
    const request = `POST ${path} HTTP/1.1\r\nHost: a\r\n${header}${length}\r\n\r\n${end}`;
    const [answer] = (await rawExchange(service.port, request, { answers: 1 })).answers;
    return [answer?.status ?? 0, JSON.parse(answer?.body.toString() ?? '')];
  });
  return Promise.all(sent);
}

test.each([
  [FORM, {}],
  ['text/plain', ''],
  ['application/octet-stream', 'stream '],
])('a body of type %s may have no byte, and is there', async (type, body) => {
  const answer = [200, { body }];
  expect(await postNothing('/all', type)).toEqual([answer, answer]);
});

test('JSON without a byte is no body', async () => {
  const missing = [
    400,
    expect.objectContaining({ errors: [{ in: 'body', path: '', message: 'is required' }] }),
  ];
  expect(await postNothing('/all', 'application/json')).toEqual([missing, missing]);
  const none = [200, { body: 'none' }];
  expect(await postNothing('/optional', 'application/json')).toEqual([none, none]);
});

test('an optional body that has neither a type nor a byte is none', async () => {
  const none = [200, { body: 'none' }];
  expect(await postNothing('/optional', undefined)).toEqual([none, none]);
});

test('a body without a type that has bytes is a 415, however it is sent', async () => {
  for (const rest of [
    'Content-Length: 1\r\n\r\n1',
    'Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n',
  ]) {
    const request = `POST /optional HTTP/1.1\r\nHost: a\r\n${rest}`;
    const [answer] = (await rawExchange(service.port, request, { answers: 1 })).answers;
    expect(answer?.status).toBe(415);
  }
});

const send = async (body: string) => {
  const answer = await service.request('/all', { method: 'POST', headers: { 'Content-Type': FORM }, body });
  return [answer.status, json(answer)['body']];
};

test('an empty pair of a form, such as that behind a last "&", is no field', async () => {
  expect(await send('box=1&')).toEqual([200, { box: '1' }]);
  expect(await send('&&box=1')).toEqual([200, { box: '1' }]);
  expect((await send('box=1&=2'))[0]).toBe(400);
});
