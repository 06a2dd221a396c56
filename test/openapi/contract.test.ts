import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ContractError } from '../../src/openapi/contract-error';
import { loadContract } from '../../src/http/contract';
import { handlers } from '../../src/generated/handlers';
import { describeApi, operation } from '../http/service-under-test';

const OWN = join(__dirname, '../../swagger/swagger.yaml');
const handler = () => ({});

function load(file: string, ids: readonly string[]): ContractError | undefined {
  try {
    loadContract({
      description: file,
      handlers: Object.fromEntries(ids.map((id) => [id, handler])),
    });
    return undefined;
  } catch (error) {
    if (error instanceof ContractError) return error;
    throw error;
  }
}

const path = (name: string, more: object = {}) => ({
  name,
  in: 'path',
  required: true,
  schema: { type: 'string' },
  ...more,
});
const query = (schema: object, more: object = {}) => ({
  '/': { get: operation('a', { parameters: [{ name: 'q', in: 'query', schema, ...more }] }) },
});
const body = (content: object) => ({ '/': { post: operation('a', { requestBody: { content } }) } });
const json = (schema: object) => body({ 'application/json': { schema } });

test('the own description fits its handlers', () => {
  const contract = loadContract({ description: OWN, handlers });
  expect(contract.operations.map(({ id }) => id)).toContain('echo');
  expect(contract.text).toBe(readFileSync(OWN, 'utf8'));
});

describe('refuses to start when', () => {
  test.each<[string, object, string[], RegExp]>([
    [
      'an operation has no handler',
      { '/': { get: operation('a') } },
      [],
      /#\/paths\/~1\/get\): operation "a" has no handler/,
    ],
    [
      'a handler has no operation',
      { '/': { get: operation('a') } },
      ['a', 'b'],
      /handler "b" has no operation/,
    ],
    ['an operationId is missing', { '/': { get: { responses: {} } } }, [], /has no operationId/],
    [
      'an operationId is there twice',
      { '/x': { get: operation('a') }, '/y': { get: operation('a') } },
      ['a'],
      /#\/paths\/~1y\/get\/operationId\): "a" is also the operationId of GET \/x/,
    ],
    [
      'an operation is called like what every object has',
      { '/': { get: operation('toString') } },
      [],
      /operation "toString" has no handler/,
    ],
    ['a method is misspelt', { '/': { gett: operation('a') } }, ['a'], /"gett" is neither a method/],
    ['there are no responses', { '/': { get: { operationId: 'a' } } }, ['a'], /has no responses/],
    [
      'two paths match the same by other names',
      { '/a/{x}': { get: operation('a', { parameters: [path('x')] }) }, '/a/{y}': { post: operation('b') } },
      ['a', 'b'],
      /#\/paths\/~1a~1\{y\}\): matches the same paths as \/a\/\{x\}/,
    ],
    [
      'two paths match the same and neither is more special',
      { '/a/{x}/c': {}, '/a/b/{y}': {} },
      [],
      /#\/paths\/~1a~1b~1\{y\}\): matches the same paths as \/a\/\{x\}\/c/,
    ],
    ['a path has no slash', { a: { get: operation('a') } }, ['a'], /must start with "\/"/],
    ['a path has a query', { '/a?b': { get: operation('a') } }, ['a'], /can not have a query/],
    [
      'a parameter is part of a segment',
      { '/a.{x}': { get: operation('a') } },
      ['a'],
      /must be a whole segment/,
    ],
    [
      'a path has a parameter twice',
      { '/{x}/{x}': { get: operation('a') } },
      ['a'],
      /the same parameter twice/,
    ],
    [
      'a path parameter is not declared',
      { '/{x}': { get: operation('a') } },
      ['a'],
      /"\{x\}" of the path is no parameter/,
    ],
    [
      'a path parameter is optional',
      { '/{x}': { get: operation('a', { parameters: [path('x', { required: false })] }) } },
      ['a'],
      /must say "required: true"/,
    ],
    [
      'a parameter is declared twice',
      { '/{x}': { get: operation('a', { parameters: [path('x'), path('x')] }) } },
      ['a'],
      /parameters\/1\): "x" is declared twice/,
    ],
    [
      'a parameter is nowhere',
      query({}, { in: 'body' }),
      ['a'],
      /must be one of path, query, header, cookie/,
    ],
    ['a parameter has no schema', query({}, { schema: undefined }), ['a'], /parameter "q" has no schema/],
    ['a parameter has content', query({}, { content: {} }), ['a'], /content\): is not supported/],
    ['a parameter has another style', query({}, { style: 'deepObject' }), ['a'], /only "form" is supported/],
    [
      'a parameter is an object',
      query({ type: 'object' }),
      ['a'],
      /an object as a parameter is not supported/,
    ],
    [
      'a parameter is a list of lists',
      query({ type: 'array', items: { type: 'array', items: { type: 'string' } } }),
      ['a'],
      /a list of lists or objects is not supported/,
    ],
    [
      'a list is in the path',
      {
        '/{x}': {
          get: operation('a', { parameters: [path('x', { schema: { type: 'array', items: {} } })] }),
        },
      },
      ['a'],
      /a list in the path is not supported/,
    ],
    [
      'a reference leads nowhere',
      json({ $ref: '#/components/schemas/No' }),
      ['a'],
      /schema\): \$ref ".*" leads to nothing/,
    ],
    [
      'a reference leads out of the file',
      json({ $ref: 'b.yaml#/A' }),
      ['a'],
      /only references into this file/,
    ],
    [
      'a body can not be read',
      body({ 'multipart/form-data': { schema: {} } }),
      ['a'],
      /type multipart\/form-data is not supported/,
    ],
    ['a body is of any type', body({ '*/*': { schema: {} } }), ['a'], /type \*\/\* is not supported/],
    ['a body has no schema', body({ 'application/json': {} }), ['a'], /has no schema/],
    ['a body has no type', body({}), ['a'], /has no content/],
    [
      'a schema has a keyword that is none',
      json({ type: 'object', propertis: {} }),
      ['a'],
      /unknown keyword: "propertis"/,
    ],
    ['a schema has a type that is none', json({ type: 'strng' }), ['a'], /strng/],
    [
      'a schema has a keyword of the wrong type',
      json({ type: 'string', maxLength: 'a' }),
      ['a'],
      /maxLength value must be/,
    ],
    [
      'a schema has a keyword of another type',
      json({ type: 'object', maxLength: 1 }),
      ['a'],
      /missing type "string"/,
    ],
    [
      'a schema has a pattern that is none',
      json({ type: 'string', pattern: '(' }),
      ['a'],
      /Invalid regular expression/,
    ],
    [
      'a schema has an unknown format',
      json({ type: 'string', format: 'colour' }),
      ['a'],
      /unknown format "colour"/,
    ],
  ])('%s', (_, paths, ids, expected) => {
    expect(load(describeApi(paths), ids)?.message).toMatch(expected);
  });
});

describe('starts when', () => {
  test.each<[string, object, string[]]>([
    [
      'a literal path is more special than a templated one',
      { '/a/{x}': { get: operation('a', { parameters: [path('x')] }) }, '/a/b': { get: operation('b') } },
      ['a', 'b'],
    ],
    [
      'an example contains what looks like a reference',
      { '/': { get: operation('a', { example: { $ref: 'b.yaml' } }) } },
      ['a'],
    ],
    ['the service has the operation itself', { '/live': { get: operation('livez') } }, []],
    [
      'a schema says what OpenAPI adds',
      json({ type: 'string', example: 'a', format: 'date', deprecated: true }),
      ['a'],
    ],
    [
      'a parameter that is described elsewhere has no schema that fits',
      {
        '/': {
          get: operation('a', { parameters: [{ name: 'Accept', in: 'header', schema: { type: 'object' } }] }),
        },
      },
      ['a'],
    ],
  ])('%s', (_, paths, ids) => {
    expect(load(describeApi(paths), ids)).toBeUndefined();
  });
});
