import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { type ReadRequest, unread } from '../../../src/http/body/read-request';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Reads a request that a platform has read before, with the parts of the body that it has left. */
async function readAgain(
  leave: (bytes: Buffer) => object,
  body: string | Buffer,
  headers: Record<string, string> = {},
): Promise<{ body: string; headers: Record<string, string>; method: string; url: string }> {
  const server = createServer((req: ReadRequest, res) => {
    const parts: Buffer[] = [];
    req.on('data', (part: Buffer) => parts.push(part));
    req.on('end', () => {
      const again = unread(Object.assign(req, leave(Buffer.concat(parts))));
      const { method, url, headers: fields } = again;
      void text(again).then((content) =>
        res.end(JSON.stringify({ body: content, headers: fields, method, url })),
      );
    });
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo; // a TCP server has no other
  const answer = await fetch(`http://127.0.0.1:${port}/echo?a=1`, { method: 'POST', body, headers });
  return (await answer.json()) as Awaited<ReturnType<typeof readAgain>>; // as it was made above
}

const json = '{"message":"ä"}';

test.each<[string, (bytes: Buffer) => object]>([
  ['bytes', (rawBody) => ({ rawBody, body: JSON.parse(String(rawBody)) as object })],
  ['a text', (bytes) => ({ body: String(bytes) })],
  ['a value', (bytes) => ({ body: JSON.parse(String(bytes)) as object })],
])('a body that was left as %s is read again', async (_, leave) => {
  const again = await readAgain(leave, json, { 'Content-Type': 'application/json' });
  expect(again).toMatchObject({ body: json, method: 'POST', url: '/echo?a=1' });
  expect(again.headers).toMatchObject({ 'content-type': 'application/json', 'content-length': '16' });
});

test('a form that was left as a value is a form again', async () => {
  const type = { 'Content-Type': 'application/x-www-form-urlencoded' };
  expect((await readAgain(() => ({ body: { a: ['1', '2'], b: 'x y' } }), 'a=1&a=2&b=x+y', type)).body).toBe(
    'a=1&a=2&b=x+y',
  );
});

test.each<[string, string, object]>([
  ['nothing was left', 'application/json', {}],
  ['an object was left whose type is not known', 'multipart/form-data; boundary=B', { body: { a: '1' } }],
  [
    'a form was left that is no list of texts',
    'application/x-www-form-urlencoded',
    { body: { a: { b: '1' } } },
  ],
])('a body of which %s is not made up: the request is left as it was read', (_, type, left) => {
  const req: Partial<ReadRequest> = { readableDidRead: true, headers: { 'content-type': type }, ...left };
  expect(unread(req as ReadRequest)).toBe(req); // has all that is looked at
});

test('a Content-Encoding stays with bytes that have it, and goes with those that were inflated', async () => {
  const encoding = { 'Content-Encoding': 'gzip' };
  const inflated = await readAgain(() => ({ rawBody: Buffer.from(json) }), gzipSync(json), encoding);
  expect(inflated.body).toBe(json);
  expect(inflated.headers).not.toHaveProperty('content-encoding');
  const untouched = await readAgain((rawBody) => ({ rawBody }), gzipSync(json), encoding);
  expect(untouched.headers).toMatchObject({ 'content-encoding': 'gzip' });
});

test('a request whose body has yet to be read is left as it is', () => {
  const req = { readableDidRead: false } as ReadRequest; // all that is looked at
  expect(unread(req)).toBe(req);
});
