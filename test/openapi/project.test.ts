import { findHandlers, handlerNames } from '../../src/openapi/project/handler-names';
import { operationTypes } from '../../src/openapi/project/operation-types';
import { stub } from '../../src/openapi/project/stub';
import { checkDescription } from '../../src/openapi/compile-description';
import { describeApi } from '../http/service-under-test';

describe('every operationId has a handler file and a name', () => {
  test.each([
    ['getBoxes', 'get-boxes', 'getBoxes'],
    ['list-boxes', 'list-boxes', 'listBoxes'],
    ['boxes/list', 'boxes-list', 'boxesList'],
    ['delete', 'delete', 'delete'],
    ['GetHTTPStatus', 'get-httpstatus', 'GetHTTPStatus'],
    ['größe.lesen', 'größe-lesen', 'größeLesen'],
    ['2nd', '2nd', '_2nd'],
    ['getM²', 'get-m²', 'getM'],
    ['²', '²', 'operation'],
    ['%', 'operation', 'operation'],
  ])('%s', (id, file, name) => {
    expect(handlerNames([id])).toEqual([{ id, file, name }]);
  });

  test('also where two ids differ in nothing but their writing', () => {
    expect(handlerNames(['listBoxes', 'list-boxes', 'list_boxes']).map(({ file }) => file)).toEqual([
      'list-boxes',
      'list-boxes-2',
      'list-boxes-3',
    ]);
  });

  test('also where the id is longer than a name of a file may be', () => {
    const id = 'listAllOfTheThings'.repeat(16);
    const [one, other] = handlerNames([id, `${id}Else`]).map(({ file }) => file);
    expect(one).toMatch(/^list-all-of-the-thingslist-all-of-the-th-[\da-f]{8}$/);
    expect(other).not.toBe(one);
    expect(findHandlers([id], [`folder/${one}`])).toEqual([{ id, name: id, file: `folder/${one}` }]);
  });

  test('in a folder, which is a part of the name or is not', () => {
    const files = ['boxes/list', 'admin/get-boxes', 'shared/database'];
    expect(
      findHandlers(['boxes/list', 'getBoxes', 'other'], files).map(({ id, file }) => [id, file]),
    ).toEqual([
      ['boxes/list', 'boxes/list'],
      ['getBoxes', 'admin/get-boxes'],
    ]);
  });
});

const box = {
  type: 'object',
  required: ['id', 'items', 'secret'],
  properties: {
    id: { type: 'integer', readOnly: true },
    secret: { type: 'string', writeOnly: true },
    items: { type: 'array', maxItems: 2, items: { $ref: '#/components/schemas/Box' } },
    colour: { enum: ['red', null] },
    size: { type: ['number', 'null'], default: 1 },
    pair: { type: 'array', prefixItems: [{ type: 'string' }], items: false },
  },
  additionalProperties: false,
};

const checked = (more: object, components: object = { schemas: { Box: box } }) =>
  checkDescription(
    describeApi(
      {
        '/a/{x}': {
          post: {
            operationId: 'a',
            parameters: [
              { name: 'x', in: 'path', schema: { type: 'string' } },
              { name: 'q', in: 'query', schema: { type: 'integer', default: 1 } },
            ],
            ...more,
          },
        },
      },
      components,
    ),
  );

const plain = (text: string) => text.replaceAll(/\s+/g, ' ');

describe('types of an operation', () => {
  test('say for each direction what is there', () => {
    const types = plain(
      operationTypes(
        checked({
          requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Box' } } } },
          responses: {
            200: {
              description: '',
              content: { 'application/json': { schema: { $ref: '#/components/schemas/Box' } } },
            },
            304: { description: '' },
          },
        }).operations,
      ),
    );
    expect(types).toContain(
      'path: { x: string; }; query: { q: number; }; header: {}; cookie: {}; body?: BoxRequest; response: (Box | undefined);',
    );
    expect(types).toContain(
      'export interface BoxRequest { secret: string; items: BoxRequest[]; colour?: ("red" | null); size: (number | null); pair?: [string?]; }',
    );
    expect(types).toContain('export interface Box { id: number; items: Box[];');
  });

  test('leave out of a part what another part hides', () => {
    const base = { type: 'object', required: ['id'], properties: { id: { type: 'integer' } } };
    const ref = { $ref: '#/components/schemas/Base' };
    const hiding = { properties: { id: { readOnly: true } }, additionalProperties: false };
    const schema = {
      properties: { a: { allOf: [ref, hiding] }, b: ref, c: { allOf: [base, hiding] } },
      additionalProperties: false,
    };
    const { operations } = checked(
      { requestBody: { content: { 'application/json': { schema } } } },
      { schemas: { Base: { ...base, additionalProperties: false } } },
    );
    const types = plain(operationTypes(operations));
    expect(types).toContain(
      'body?: { a?: (BaseRequest & {}); b?: Base; c?: ({ [key: string]: unknown; } & {}); };',
    );
    expect(types).toContain('export interface BaseRequest {}');
    expect(types).toContain('export interface Base { id: number; }');
  });

  test.each<[string, object, string]>([
    [
      'multipart/form-data',
      {
        type: 'object',
        required: ['f'],
        properties: { f: { type: 'string', format: 'binary' } },
        additionalProperties: false,
      },
      'body?: (Omit<{ f: string; }, "f"> & { f: UploadedFile; });',
    ],
    [
      'multipart/form-data',
      {
        type: 'object',
        properties: {
          f: { anyOf: [{ type: 'array', items: { type: 'string', format: 'binary' } }, { type: 'null' }] },
        },
        additionalProperties: false,
      },
      'body?: (Omit<{ f?: (string[] | null); }, "f"> & { f?: UploadedFile[]; });',
    ],
    ['image/*', {}, 'body?: Readable;'],
    ['text/plain', { type: 'string' }, 'body?: string;'],
  ])('of a body of type %s', (type, schema, expected) => {
    const { operations } = checked({ requestBody: { content: { [type]: { schema } } } });
    expect(plain(operationTypes(operations))).toContain(expected);
  });
});

test('types import only what they use, whatever else is called so', () => {
  const schema = { properties: { Readable: { enum: ['UploadedFile'] } } };
  const imports = (type: string) =>
    operationTypes(checked({ requestBody: { content: { [type]: { schema } } } }).operations).match(
      /import .*/g,
    );
  expect(imports('application/json')).toBeNull();
  expect(imports('image/png')).toEqual(["import type { Readable } from 'node:stream';"]);
});

test('a stub answers with the example of a success', () => {
  const { operations } = checked({
    operationId: 'delete',
    summary: 'Of\nall */',
    responses: { 200: { description: '', content: { 'application/json': { example: { a: 1 } } } } },
  });
  const [operation] = operations;
  const [name] = handlerNames(['delete']);
  if (!operation || !name) throw new Error('there is no operation');
  expect(stub(operation, name)).toBe(`import type { Handler } from '../http/handler.js';
import { notImplemented } from '../http/not-implemented.js';

/** POST /a/{x}: Of all * / */
const handle: Handler<"delete"> = (_request, ctx) =>
  notImplemented(ctx, {
    "a": 1
  });

export { handle as delete };
`);
});

test.each(['module', 'exports', 'require', '__dirname', 'Object', 'undefined', 'Handler', 'notImplemented'])(
  'a stub declares nothing called %s, which would not build or load',
  (id) => {
    const [operation] = checked({ operationId: id, responses: { 200: { description: '' } } }).operations;
    const [name] = handlerNames([id]);
    if (!operation || !name) throw new Error('there is no operation');
    const source = stub(operation, name);
    expect(source).toContain(`const handle: Handler<"${id}">`);
    expect(source).toContain(`export { handle as ${id} };`);
  },
);
