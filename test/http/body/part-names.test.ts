import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../support/eventually';
import { ServiceUnderTest, json, operation } from '../service-under-test';

const folder = mkdtempSync(join(os.tmpdir(), 'part-names-'));
let service: ServiceUnderTest;

beforeAll(async () => {
  jest.spyOn(os, 'tmpdir').mockReturnValue(folder);
  const schema = { type: 'object', properties: { meta: { type: 'object' } } };
  const content = { 'multipart/form-data': { schema }, 'application/x-www-form-urlencoded': { schema } };
  service = await ServiceUnderTest.start({
    paths: { '/upload': { post: operation('upload', { requestBody: { required: true, content } }) } },
    handlers: { upload: ({ body }: { body: object }) => ({ ...body, uploads: uploads() }) },
  });
});

afterAll(async () => {
  await ServiceUnderTest.closeAll();
  jest.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

const send = (type: string, body: Buffer | string) =>
  service.request('/upload', { method: 'POST', headers: { 'Content-Type': type }, body });

const part = (headers: string, content: string) =>
  `--B\r\nContent-Disposition: form-data; ${headers}\r\n\r\n${content}\r\n`;
const multipart = (...parts: string[]) =>
  send('multipart/form-data; boundary=B', `${parts.join('')}--B--\r\n`);
const uploads = () => readdirSync(folder).length;
const nothingIsLeft = () => eventually('no file is left on disk', 5000, () => uploads() === 0);

test.each(['constructor', 'toString', 'hasOwnProperty'])(
  'a file or a text may have the name %s, and no file is left',
  async (name) => {
    const answer = await multipart(part(`name="${name}"; filename="a"`, 'abc'));
    expect([answer.status, json(answer)]).toMatchObject([
      200,
      { [name]: { filename: 'a', size: 3 }, uploads: 1 },
    ]);
    await nothingIsLeft();
    expect(json(await multipart(part(`name="${name}"`, 'abc')))).toMatchObject({ [name]: 'abc' });
  },
);

test.each<[string, object, unknown]>([
  ['nothing', {}, { filename: 'a' }],
  ['anything', { additionalProperties: {} }, { filename: 'a' }],
  ['bytes', { additionalProperties: { type: 'string', format: 'binary' } }, { filename: 'a' }],
  [
    'lists of bytes',
    { additionalProperties: { type: 'array', items: { contentMediaType: 'image/png' } } },
    [{ filename: 'a' }, { filename: 'a' }],
  ],
  ['texts', { additionalProperties: { type: 'string' } }, 'abc'],
  ['texts by their names', { patternProperties: { '^o': { type: 'string' } } }, 'abc'],
  ['texts, by a reference', { allOf: [{ additionalProperties: { type: ['string', 'null'] } }] }, 'abc'],
])('a part with a file name is what the schema of the others says: %s', async (_, others, expected) => {
  const content = { 'multipart/form-data': { schema: { type: 'object', ...others } } };
  const fresh = await ServiceUnderTest.start({
    paths: { '/upload': { post: operation('upload', { requestBody: { content } }) } },
    handlers: { upload: ({ body }: { body: object }) => body },
  });
  const answer = await fresh.request('/upload', {
    method: 'POST',
    headers: { 'Content-Type': 'multipart/form-data; boundary=B' },
    body: `${part('name="other"; filename="a"', 'abc').repeat([expected].flat().length)}--B--\r\n`,
  });
  expect([answer.status, json(answer)]).toMatchObject([200, { other: expected }]);
});

const FILE = part('name="file"; filename="a"', 'abc');

test.each([
  ['a file called __proto__', '/__proto__', [FILE, part('name="__proto__"; filename="a"', 'abc')]],
  ['a text called __proto__', '/__proto__', [FILE, part('name="__proto__"', 'abc')]],
  ['__proto__ in a document', '/meta/__proto__', [FILE, part('name="meta"', '{"__proto__":1}')]],
])('%s is a 400 that leaves no file', async (_, path, parts) => {
  const answer = await multipart(...parts);
  expect([answer.status, json(answer)['errors']]).toEqual([
    400,
    [{ in: 'body', path, message: 'is not allowed' }],
  ]);
  await nothingIsLeft();
});

test('__proto__ in a form is a 400', async () => {
  const answer = await send('application/x-www-form-urlencoded', 'a=1&__proto__=2');
  expect([answer.status, json(answer)['errors']]).toMatchObject([400, [{ path: '/__proto__' }]]);
});

test.each([
  ['without a charset', ''],
  ['that is said to be UTF-8', '\r\nContent-Type: text/plain; charset=utf-8'],
])('a text %s that is not UTF-8 is a 400, which names it and leaves no file', async (_, type) => {
  const latin1 = `${FILE}${part(`name="a/b"${type}`, 'é')}--B--\r\n`;
  const answer = await send('multipart/form-data; boundary=B', Buffer.from(latin1, 'latin1'));
  expect([answer.status, json(answer)['errors']]).toEqual([
    400,
    [{ in: 'body', path: '/a~1b', message: 'is not UTF-8' }],
  ]);
  await nothingIsLeft();
  expect(json(await multipart(part(`name="a/b"${type}`, 'é')))).toMatchObject({ 'a/b': 'é' });
});

test.each(['filename="a"', 'size=3', ''])('a part with %j, and without a name, is a 400', async (headers) => {
  const answer = await multipart(FILE, part(headers, 'abc'));
  expect([answer.status, json(answer)['errors']]).toEqual([
    400,
    [{ in: 'body', path: '', message: 'has a part without a name' }],
  ]);
  await nothingIsLeft();
});

test('a client that leaves in the middle of a file leaves none on disk', async () => {
  const socket = connect(service.port, '127.0.0.1');
  const head = 'Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 9999';
  socket.write(`POST /upload HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n${FILE}${FILE}`);
  await eventually('a file is on disk', 5000, () => uploads() === 1);
  socket.destroy();
  await nothingIsLeft();
  expect(service.counted).toContainEqual(['/upload', 499]);
});
