import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ContractError } from '../../src/openapi/contract-error';
import { loadContract } from '../../src/http/routing/contract';
import { handlers } from '../fixtures/greetings/handlers';
import { describeApi, operation } from '../http/service-under-test';

const GREETINGS = join(__dirname, '../fixtures/greetings/swagger.yaml');
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

test('a description that fits its handlers is taken as it is written', () => {
  const contract = loadContract({ description: GREETINGS, handlers });
  expect(contract.operations.map(({ id }) => id)).toContain('echo');
  expect(contract.text).toBe(readFileSync(GREETINGS, 'utf8'));
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
    [
      'a method is misspelt',
      { '/': { gett: operation('a') } },
      ['a'],
      /gett\): is no field of a path item; is "get" meant\?/,
    ],
    [
      'two paths match the same by other names',
      { '/a/{x}': { get: operation('a', { parameters: [path('x')] }) }, '/a/{y}': { post: operation('b') } },
      ['a', 'b'],
      /#\/paths\/~1a~1\{y\}\): matches the same paths as \/a\/\{x\}/,
    ],
    [
      'two paths match the same by other encodings',
      { '/~a': { get: operation('a') }, '/%7ea': { get: operation('b') } },
      ['a', 'b'],
      /#\/paths\/~1%7ea\): matches the same paths as \/~a/,
    ],
    ['a path has no slash', { a: { get: operation('a') } }, ['a'], /must start with "\/"/],
    ['a path has a query', { '/a?b': { get: operation('a') } }, ['a'], /can not have a query/],
    [
      'nobody can tell where one parameter of a segment ends',
      { '/{x}{y}': { get: operation('a') } },
      ['a'],
      /does not say where one parameter ends/,
    ],
    ['a brace is left open', { '/{x': { get: operation('a') } }, ['a'], /a brace without its other half/],
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
    [
      'a parameter has a schema and a media type',
      query({}, { content: { 'application/json': {} } }),
      ['a'],
      /content\): must not stand beside "schema"/,
    ],
    ['a parameter has no media type', query({}, { schema: undefined, content: {} }), ['a'], /has no schema/],
    [
      'a parameter has a style of another place',
      query({}, { style: 'matrix' }),
      ['a'],
      /style\): must be one of form, spaceDelimited, pipeDelimited, deepObject here/,
    ],
    [
      'a default is forbidden by its own schema',
      query({ type: 'integer', maximum: 100, default: 'all' }),
      ['a'],
      /schema\/default\): is forbidden by its own schema: must be integer/,
    ],
    [
      'a default of a body is forbidden by its own schema',
      json({ type: 'object', properties: { n: { type: 'integer', default: 1.5 } } }),
      ['a'],
      /properties\/n\/default\): is forbidden by its own schema/,
    ],
    [
      'a schema is empty',
      json({ type: 'object', properties: { a: null } }),
      ['a'],
      /properties\/a\): must be a schema, and is empty/,
    ],
    [
      'a limit is no number',
      { '/': { get: operation('a', { 'x-body-limit': '1MB' }) } },
      ['a'],
      /x-body-limit\): must be a number of bytes from 1 to \d+, not "1MB"/,
    ],
    [
      'a time is longer than a day',
      { '/': { get: operation('a', { 'x-request-timeout': 86_400_001 }) } },
      ['a'],
      /x-request-timeout\): must be a number of milliseconds from 1 to 86400000, not 86400001/,
    ],
    [
      'a reference leads nowhere',
      json({ $ref: '#/components/schemas/No' }),
      ['a'],
      /schema\/\$ref\): ".*" leads to nothing/,
    ],
    [
      'a reference leads to a file that is not there',
      json({ $ref: 'b.yaml#/A' }),
      ['a'],
      /\$ref\): "b.yaml#\/A" cannot be read: ENOENT/,
    ],
    [
      'a reference leads out of this host',
      json({ $ref: 'https://example.com/a.yaml' }),
      ['a'],
      /is not a file of this description/,
    ],
    ['a body has no type', body({}), ['a'], /has no content/],
    [
      'a schema has a keyword that is none',
      json({ type: 'object', propertis: {} }),
      ['a'],
      /propertis\): is no field of a schema; is "properties" meant\?/,
    ],
    ...[
      { contains: { type: 'integer' }, unevaluatedItems: false },
      { allOf: [{ contains: { type: 'integer' } }], unevaluatedItems: false },
      { anyOf: [{ allOf: [{ contains: {} }] }, {}], unevaluatedItems: { type: 'string' } },
      { if: { contains: {} }, unevaluatedItems: false },
    ].map((schema): [string, object, string[], RegExp] => [
      `items are unevaluated beside those that are counted: ${JSON.stringify(schema)}`,
      json(schema),
      ['a'],
      /unevaluatedItems\): is not supported beside "contains"/,
    ]),
    [
      'a schema has a type that is none',
      json({ type: 'strng' }),
      ['a'],
      /type\): must be one or more of string, .*, and is "strng"/,
    ],
    [
      'a schema is of another dialect',
      json({ $schema: 'http://json-schema.org/draft-07/schema#' }),
      ['a'],
      /\$schema\): must be JSON Schema 2020-12 or .*, and is "http:\/\/json-schema.org\/draft-07\/schema#"/,
    ],
    [
      'a schema has a keyword of the wrong type',
      json({ type: 'string', maxLength: 'a' }),
      ['a'],
      /maxLength\): must be a whole number from 0, and is "a"/,
    ],
    [
      'a schema has a pattern that is none',
      json({ type: 'string', pattern: '(' }),
      ['a'],
      /pattern\): is no regular expression/,
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
    [
      'an operationId is missing',
      { '/a/{x}': { get: { ...operation('a', { parameters: [path('x')] }), operationId: undefined } } },
      ['getAByX'],
    ],
    ['there are no responses', { '/': { get: { operationId: 'a' } } }, ['a']],
    [
      'a path parameter does not say that it is required',
      { '/{x}': { get: operation('a', { parameters: [path('x', { required: undefined })] }) } },
      ['a'],
    ],
    [
      'templates overlap in one path',
      {
        '/a/{x}/c': { get: operation('a', { parameters: [path('x')] }) },
        '/a/b/{y}': { get: operation('b', { parameters: [path('y')] }) },
      },
      ['a', 'b'],
    ],
    [
      'an extension stands anywhere',
      {
        'x-a': 1,
        '/': {
          'x-b': [],
          get: operation('a', {
            'x-c': null,
            parameters: [{ name: 'q', in: 'query', 'x-d': {}, schema: { type: 'string', 'x-e': true } }],
          }),
        },
      },
      ['a'],
    ],
    ['a keyword is of another type than its schema', json({ type: 'object', maxLength: 1 }), ['a']],
    [
      'items are unevaluated where none are counted',
      json({ unevaluatedItems: false, prefixItems: [{ contains: {} }], properties: { a: { contains: {} } } }),
      ['a'],
    ],
    ['items are counted', json({ contains: {}, unevaluatedItems: true }), ['a']],
    ['a format is unknown', json({ type: 'string', format: 'colour' }), ['a']],
    ["a keyword is nobody's", json({ type: 'string', colour: 'red' }), ['a']],
    [
      'nothing is said for style',
      json({ required: ['a'], anyOf: [{ required: ['b'] }, { minItems: 1 }], prefixItems: [{}] }),
      ['a'],
    ],
    ['the service has the operation itself', { '/livez': { get: operation('livez') } }, []],
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
