import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { ServiceUnderTest, operation } from '../service-under-test';

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47]);
const TEXT = 'the same again, '.repeat(100);

/** Another service, whose answers are compressed and set cookies. */
const upstream = createServer((req, res) => {
  if (req.url === '/png') return res.writeHead(200, { 'Content-Type': 'image/png' }).end(PNG);
  const body = gzipSync(TEXT);
  return res
    .writeHead(200, {
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Encoding': 'gzip',
      'Content-Length': body.length,
      'Keep-Alive': 'timeout=77',
      'Set-Cookie': ['a=1; Path=/', 'b=2; Path=/'],
    })
    .end(body);
});

let service: ServiceUnderTest;
const url = (path: string) => `http://127.0.0.1:${(upstream.address() as AddressInfo).port}${path}`;
const answers = (content?: object, status = 200) => ({ [status]: { description: 'It.', ...content } });
const of = (type: string) => answers({ content: { [type]: {} } });

beforeAll(async () => {
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  service = await ServiceUnderTest.start({
    paths: {
      '/fetched': { get: operation('fetched', { responses: of('text/plain') }) },
      '/picture': { get: operation('picture', { responses: of('image/*') }) },
      '/encoded': { get: operation('encoded', { responses: of('text/plain') }) },
      '/blob': { get: operation('blob', { responses: of('*/*') }) },
      '/plain-blob': { get: operation('plainBlob', { responses: of('*/*') }) },
      '/accepted': { post: operation('accepted', { responses: answers({}, 202) }) },
      '/head': { head: operation('head', { responses: of('application/json') }) },
      '/dated': {
        get: operation('dated', {
          responses: answers({
            headers: { Date: { required: true }, 'Content-Length': { required: true } },
            content: { 'application/json': {} },
          }),
        }),
      },
    },
    handlers: {
      fetched: (_request, ctx) => {
        ctx.append('Set-Cookie', 'own=1');
        return fetch(url('/'));
      },
      picture: () => fetch(url('/png')),
      encoded: () => new Response(gzipSync(TEXT), { headers: { 'Content-Encoding': 'gzip' } }),
      blob: () => new Blob([PNG], { type: 'image/png' }),
      plainBlob: () => new Blob([PNG]),
      accepted: () => null,
      head: (_request, { response }) => void (response.length = 1234),
      dated: () => ({}),
    },
  });
});

const call = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${service.port}${path}`, { method });

afterAll(async () => {
  await ServiceUnderTest.closeAll();
  upstream.closeAllConnections();
  upstream.close();
});

test('the answer of another service is passed on as it was decoded, with each cookie', async () => {
  const answer = await call('/fetched');
  expect(await answer.text()).toBe(TEXT);
  expect(answer.headers.getSetCookie()).toEqual(['own=1', 'a=1; Path=/', 'b=2; Path=/']);
  expect(answer.headers.get('content-encoding')).toBeNull();
  expect(answer.headers.get('keep-alive')).toBeNull();
});

test('a Response keeps the coding that its maker gave it', async () => {
  const answer = await call('/encoded');
  expect([answer.headers.get('content-encoding'), await answer.text()]).toEqual(['gzip', TEXT]);
});

test.each([
  ['/picture', 'image/png'],
  ['/blob', 'image/png'],
  ['/plain-blob', 'application/octet-stream'],
])('%s has the type %s', async (path, type) => {
  const answer = await call(path);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, type]);
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(PNG);
});

test('null is no content where none is declared', async () => {
  const answer = await call('/accepted', 'POST');
  expect([answer.status, await answer.text()]).toEqual([202, '']);
});

test('an operation for HEAD needs no content, and tells the length that it sets', async () => {
  const { status, headers } = await call('/head', 'HEAD');
  expect([status, headers.get('content-length')]).toEqual([200, '1234']);
});

test('headers that are set when an answer is sent are not missed before', async () => {
  expect((await call('/dated')).status).toBe(200);
});
