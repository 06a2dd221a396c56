import { loadContract } from '../../src/http/routing/contract';
import { ContractError } from '../../src/openapi/contract-error';
import { describeText } from '../http/service-under-test';

function load(file: string): ContractError | undefined {
  try {
    loadContract({ description: file, handlers: { a: () => ({}) } });
    return undefined;
  } catch (error) {
    if (error instanceof ContractError) return error;
    throw error;
  }
}

const start = `openapi: 3.1.0
paths:
  /a/{x}:
    get:
      operationId: a
`;

test('what is wrong is told with file, line, column, place and cause', () => {
  const file = describeText(`${start}
      parameters:
        - { name: y, in: path, required: true, schema: { type: string } }
      responses: { '200': { description: ok } }
`);
  expect(load(file)?.message).toBe(
    `${file}:8:11 (#/paths/~1a~1{x}/get/parameters/0): path parameter "y" is not in /a/{x}`,
  );
});

test('what is missing is told with the line of what it is missing in', () => {
  expect(load(describeText(start))?.place).toBe('5:7 (#/paths/~1a~1{x}/get)');
});

test('a file that is not there', () => {
  expect(load('/nowhere/api.yaml')?.message).toBe('/nowhere/api.yaml:1:1: cannot be read: ENOENT');
});

test.each([
  ['what is not YAML', 'openapi: 3.1.0\npaths: [', /:2:\d+: Flow sequence/],
  [
    'a key that is there twice',
    'openapi: 3.1.0\npaths:\n  /a: {}\n  /a: {}\n',
    /:4:3: Map keys must be unique/,
  ],
  ['a list', '- a', /is not a mapping/],
  ['nothing', '', /is not a mapping/],
  ['another version', 'openapi: 4.0.0\npaths: {}', /:1:10 \(#\/openapi\): OpenAPI 4\.0\.0 is not served/],
  [
    'version 2',
    "swagger: '2.0'\npaths: {}",
    /:1:11 \(#\/swagger\): Swagger 2\.0 is not served; convert it to OpenAPI 3/,
  ],
  [
    'version 2 at the end of JSON',
    '{\n "paths": {},\n "swagger": "2.0"\n}',
    /:3:13: Swagger 2\.0 is not served/,
  ],
  ['no version', 'paths: {}\n', /:1:1: has no "openapi"/],
  [
    'a YAML bomb',
    `openapi: 3.1.0\na0: &a0 [x]\n${Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(', ')}]`).join('\n')}`,
    /its YAML aliases stand for more than \d+ values/,
  ],
  ['an alias to what it stands in', 'openapi: 3.1.0\na: &a [*a]', /alias/i],
  [
    'a reference to itself',
    "openapi: 3.1.0\npaths: { /a: { $ref: '#/components/a' } }\ncomponents: { a: { $ref: '#/components/a' } }",
    /3:\d+ \(#\/components\/a\): is a reference to itself/,
  ],
])('%s is refused', (_, text, expected) => {
  expect(load(describeText(text))?.message).toMatch(expected);
});
