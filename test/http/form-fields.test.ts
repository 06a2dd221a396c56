import { readFileSync } from 'node:fs';
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

const binary = { type: 'string', format: 'binary' };
const nothing = { type: 'null' };

const multipart = (id: string, properties: object) => ({
  post: operation(id, {
    requestBody: {
      required: true,
      content: { 'multipart/form-data': { schema: { type: 'object', properties } } },
    },
  }),
});

let service: ServiceUnderTest;

beforeAll(async () => {
  service = await ServiceUnderTest.start({
    paths: {
      '/files': multipart('files', {
        any: { anyOf: [binary, nothing] },
        one: { oneOf: [nothing, { $ref: '#/components/schemas/Png' }] },
        anyList: { anyOf: [{ type: 'array', items: binary }, nothing] },
        listOfAny: { type: 'array', items: { anyOf: [binary, nothing] } },
        base64: { anyOf: [{ $ref: '#/components/schemas/Png', contentEncoding: 'base64' }, nothing] },
        text: { anyOf: [{ type: 'string' }, nothing] },
        self: { $ref: '#/components/schemas/Self' },
      }),
    },
    components: {
      schemas: {
        Png: { type: 'string', contentMediaType: 'image/png' },
        Self: {
          anyOf: [{ type: 'string' }, { type: 'array', items: { $ref: '#/components/schemas/Self' } }],
        },
      },
    },
    handlers: { files: told },
  });
});

afterAll(() => ServiceUnderTest.closeAll());

const BOUNDARY = 'xYz';
const part = (name: string, content: string, more = '') =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${content}\r\n`;
const png = (name: string) => part(name, 'PNG', '; filename="a.png"\r\nContent-Type: image/png');
const upload = async (path: string, ...parts: string[]) => {
  const answer = await service.request(path, {
    method: 'POST',
    body: `${parts.join('')}--${BOUNDARY}--\r\n`,
    headers: { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` },
  });
  const { body, errors } = json(answer);
  return answer.status === 200 ? body : { status: answer.status, errors };
};

describe('a part that may be a file', () => {
  const file = { filename: 'a.png', content: 'PNG' };

  test.each<[string, unknown]>([
    ['any', file],
    ['one', file],
    ['anyList', [file]],
    ['listOfAny', [file]],
    ['base64', 'PNG'],
    ['text', 'PNG'],
    ['self', 'PNG'],
  ])('is one where a branch of its schema says so: %s', async (name, value) => {
    expect(await upload('/files', png(name))).toEqual({ [name]: value });
  });
});
