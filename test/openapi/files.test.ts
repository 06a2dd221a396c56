import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { checkDescription } from '../../src/openapi/compile-description';
import { loadContract } from '../../src/http/routing/contract';

let folder: string;

beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'files-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return join(folder, Object.keys(files)[0] ?? '');
}

/** Every fault as `file:line:column reason`. */
function faults(files: Readonly<Record<string, string>>): string[] {
  return checkDescription(write(files)).faults.map(
    ({ file, line, column, reason }) => `${file.slice(folder.length + 1)}:${line}:${column} ${reason}`,
  );
}

const start = "openapi: 3.1.0\ninfo: { title: T, version: '1' }\n";
const answer = "responses: { '200': { description: Fine. } }";
const posted = (ref: string) => `${start}paths:
  /a:
    post: { operationId: a, requestBody: { content: { application/json: { schema: { $ref: '${ref}' } } } }, ${answer} }
`;

/** Returns the complaints about a body of operation `a`. */
function complaints(files: Readonly<Record<string, string>>, body: unknown) {
  const { operations } = loadContract({ description: write(files), handlers: { a: () => ({}) } });
  const [content] = operations[0]?.body?.contents.values() ?? [];
  return content
    ?.validate?.({ path: {}, query: {}, header: {}, cookie: {}, body })
    ?.map(({ path, message }) => `${path} ${message}`);
}

test('an operation can be that of another file, and what is wrong with it is told where it is referred to', () => {
  const files = {
    'api.yaml': `${start}paths:\n  /a/{id}:\n    get: { $ref: 'operations/a.yaml' }\n    put: { $ref: none.yaml }\n`,
    'operations/a.yaml': `operationId: a\nparameters: [{ $ref: parameters.yaml#/id }]\n${answer}\n`,
    'operations/parameters.yaml': 'id: { name: id, in: path, required: true, schema: { type: integer } }',
  };
  expect(faults(files)).toContain('api.yaml:6:18 "none.yaml" cannot be read: ENOENT');
  const { operations } = loadContract({
    description: write({ ...files, 'api.yaml': files['api.yaml'].replace(/    put.*\n/, '') }),
    handlers: { a: () => ({}) },
  });
  expect(operations.map(({ id, path }) => [id, path])).toEqual([['a', '/a/{id}']]);
  const itself = faults({ ...files, 'operations/a.yaml': '$ref: a.yaml' });
  expect(itself).toContain('api.yaml:5:18 "operations/a.yaml" is no operation');
});

describe('a reference to another file is followed', () => {
  test.each<[string, Record<string, string>]>([
    ['as a whole', { 'api.yaml': posted('box.json'), 'box.json': '{"type":"object","required":["size"]}' }],
    [
      'into it',
      {
        'api.yaml': posted('./schemas/all.yaml#/Box'),
        'schemas/all.yaml': 'Box: { $ref: "../box.yaml" }',
        'box.yaml': 'required: [size]',
      },
    ],
    [
      'and back',
      {
        'api.yaml': `${posted('box.yaml')}components: { schemas: { Sized: { required: [size] } } }`,
        'box.yaml': 'allOf: [{ $ref: "api.yaml#/components/schemas/Sized" }]',
      },
    ],
    [
      'through one in this file',
      {
        'api.yaml': `${posted('#/components/schemas/All/properties/box')}components: { schemas: { All: { $ref: all.yaml } } }`,
        'all.yaml': 'properties: { box: { required: [size] } }',
      },
    ],
    [
      'by its anchor',
      { 'api.yaml': posted('box.yaml#box'), 'box.yaml': '$defs: { a: { $anchor: box, required: [size] } }' },
    ],
    [
      'by its id',
      {
        'api.yaml': `${posted('https://example.com/box')}components: { schemas: { Box: { $id: "https://example.com/box", required: [size] } } }`,
      },
    ],
    [
      'which refers to itself',
      {
        'api.yaml': posted('box.yaml'),
        'box.yaml': 'required: [size]\nproperties: { inner: { $ref: "#" } }',
      },
    ],
  ])('%s', (_, files) => {
    expect(complaints(files, {})).toEqual(['/body/size is required']);
    expect(complaints(files, { size: 1 })).toBeUndefined();
  });

  test('where two files have schemas of one name', () => {
    const files = {
      'api.yaml': `${start}paths: { /a: { post: { operationId: a, requestBody: { content: { application/json: { schema: { allOf: [{ $ref: 'x.yaml#/Box' }, { $ref: 'y.yaml#/Box' }] } } } }, ${answer} } } }`,
      'x.yaml': 'Box: { required: [x] }',
      'y.yaml': 'Box: { required: [y] }',
    };
    expect(complaints(files, {})).toEqual(['/body/x is required', '/body/y is required']);
  });

  test('to a path, a parameter and an answer', () => {
    const files = {
      'api.yaml': `${start}paths: { '/a/{id}': { $ref: 'a.yaml' } }`,
      'a.yaml': `get: { operationId: a, parameters: [{ $ref: 'parts.yaml#/id' }], responses: { '200': { $ref: 'parts.yaml#/fine' } } }`,
      'parts.yaml':
        'id: { name: id, in: path, required: true, schema: { type: integer } }\nfine: { description: Fine., content: { text/plain: {} } }',
    };
    const { operations } = loadContract({ description: write(files), handlers: { a: () => ({}) } });
    expect(operations).toMatchObject([
      { id: 'a', parameters: [{ name: 'id' }], success: { type: 'text/plain' } },
    ]);
  });
});

test.each([
  ['servers', 'servers: [{ url: /v2 }]', ['/v2/a/{id}'], ['id']],
  ['parameters', 'parameters: [{ $ref: "b.yaml" }, { $ref: "q.yaml" }]', ['/v1/a/{id}'], ['id', 'q']],
  ['a summary', 'summary: One.', ['/v1/a/{id}'], ['id']],
])(
  'a path of another file has its own servers and parameters, but for %s beside the reference',
  (_, beside, expected, names) => {
    const files = {
      'api.yaml': `${start}paths: { '/a/{id}': { $ref: a.yaml, ${beside} } }`,
      'a.yaml': `servers: [{ url: /v1 }]\nparameters: [{ $ref: b.yaml }]\nget: { operationId: a, ${answer} }`,
      'b.yaml': 'name: id\nin: path\nrequired: true\nschema: { type: integer }',
      'q.yaml': 'name: q\nin: query\nschema: { type: integer }',
    };
    const { operations } = loadContract({ description: write(files), handlers: { a: () => ({}) } });
    expect(operations.map(({ routes: at, parameters }) => [at, parameters.map(({ name }) => name)])).toEqual([
      [expected, names],
    ]);
  },
);

test('what is wrong is told with the file in which it stands', () => {
  expect(
    faults({
      'api.yaml': posted('schemas/box.yaml#/Box'),
      'schemas/box.yaml':
        'Box:\n  type: object\n  properties:\n    size: { type: integr }\n    of: { $ref: "no.yaml" }\n    at: { $ref: "#/No" }\n',
    }),
  ).toEqual([
    expect.stringMatching(/^schemas\/box\.yaml:4:19 must be one or more of .* and is "integr"$/) as string,
    'schemas/box.yaml:5:17 "no.yaml" cannot be read: ENOENT',
    'schemas/box.yaml:6:17 "#/No" leads to nothing',
  ]);
});

test('all that is wrong is told at once, in the order of a reader', () => {
  expect(
    faults({
      'api.yaml': `${start}paths:
  /a:
    get:
      operationId: a
      parameters:
        - { name: q, in: nowhere, schema: { type: string } }
        - { name: r, in: query, schema: { type: string, maxLenght: 3 } }
      responses: { '2000': { description: Fine. } }
  /b?c:
    get: { operationId: a, ${answer} }
`,
    }).map((fault) => fault.replace(/^api.yaml:/, '')),
  ).toEqual([
    '8:26 must be one of path, query, header, cookie; no other is supported',
    '9:68 is no field of a schema; is "maxLength" meant?',
    '10:28 "2000" is no status, such as 200, 4XX or default',
    '12:5 a path can not have a query or a fragment',
    '12:25 "a" is also the operationId of GET /a',
  ]);
});

test('places in JSON are told as well', () => {
  const text = JSON.stringify(
    {
      openapi: '3.1.0',
      paths: {
        '/a': { get: { responses: {}, parameters: [{ in: 'query', name: 'a\\"{', schema: { type: 1 } }] } },
      },
    },
    undefined,
    1,
  );
  const [fault] = checkDescription(write({ 'api.json': text })).faults;
  expect(text.split('\n')[(fault?.line ?? 0) - 1]?.slice((fault?.column ?? 0) - 1)).toBe('1');
});

test('what no operation uses is only warned of', () => {
  const checked = checkDescription(
    write({
      'api.yaml': `${start}paths: {}\ncomponents: { schemas: { A: { type: strng } } }\nwebhooks: { w: { post: { parameters: 1 } } }`,
    }),
  );
  expect([checked.faults, checked.warnings.map(({ reason }) => reason)]).toEqual([
    [],
    [expect.stringContaining('"strng"') as string, 'must be a list, and is 1'],
  ]);
});

const old = (schema: string) =>
  `openapi: 3.0.3\ninfo: { title: T, version: '1' }\npaths: { /a: { post: { operationId: a, requestBody: { content: { application/json: { schema: ${schema} } } }, ${answer} } } }\ncomponents: { schemas: { Box: { type: object } } }`;

describe('OpenAPI 3.0 is served as 3.1', () => {
  test.each<[string, string, unknown[], unknown[]]>([
    ['nullable', '{ type: string, nullable: true }', [null, 'a'], [1]],
    ['nullable beside an enum', '{ type: string, nullable: true, enum: [a] }', [null, 'a'], ['b']],
    [
      'nullable beside a reference',
      "{ nullable: true, allOf: [{ $ref: '#/components/schemas/Box' }] }",
      [null, {}],
      [1],
    ],
    [
      'exclusive bounds',
      '{ type: integer, minimum: 1, exclusiveMinimum: true, maximum: 5, exclusiveMaximum: false }',
      [2, 5],
      [1, 6],
    ],
    [
      'what does not count beside a reference',
      "{ $ref: '#/components/schemas/Box', required: [x] }",
      [{}],
      [1],
    ],
  ])('%s', (_, schema, good, bad) => {
    expect(good.map((body) => complaints({ 'api.yaml': old(schema) }, body))).toEqual(
      good.map(() => undefined),
    );
    for (const body of bad) expect(complaints({ 'api.yaml': old(schema) }, body)).not.toBeUndefined();
  });

  test('and shown so', () => {
    const { document, text } = loadContract({
      description: write({ 'api.yaml': old('{ type: string, nullable: true }') }),
      handlers: { a: () => ({}) },
    });
    expect(document).toMatchObject({ openapi: '3.1.1' });
    expect(text).not.toContain('nullable');
  });
});

const routes = (servers: string) => {
  const description = write({
    'api.yaml': `${start}servers: ${servers}\npaths: { /a: { get: { operationId: a, ${answer} } } }`,
  });
  return loadContract({ description, handlers: { a: () => ({}) } }).operations[0]?.routes;
};

describe('servers', () => {
  test.each([
    ['[]', ['/a']],
    ['[{ url: / }]', ['/a']],
    ['[{ url: . }]', ['/a']],
    ['[{ url: /v2/ }]', ['/v2/a']],
    [
      '[{ url: "https://example.com/v1" }, { url: "https://example.org/v1" }, { url: /v2 }]',
      ['/v1/a', '/v2/a'],
    ],
    [
      '[{ url: "https://{host}/{stage}", variables: { host: { default: a }, stage: { default: v1, enum: [v1, beta] } } }]',
      ['/v1/a', '/beta/a'],
    ],
    ['[{ url: "{base}", variables: { base: { default: "https://example.com/v3" } } }]', ['/v3/a']],
    ['[{ url: "{base}/v1", variables: { base: { default: "https://example.com" } } }]', ['/v1/a']],
    ['[{ url: "{scheme}://a:{port}/v1", variables: { scheme: { default: http }, port: {} } }]', ['/v1/a']],
    ['[{ url: "https://example.com{path}", variables: { path: { default: /v1 } } }]', ['/v1/a']],
  ])('%s', (servers, expected) => {
    expect(routes(servers)).toEqual(expected);
  });

  test('a variable that is not declared is refused', () => {
    expect(() => routes('[{ url: "/{stage}" }]')).toThrow(/has a variable that is not declared/);
  });

  test('a variable without a value is refused', () => {
    const server = '{ url: "/{stage}", variables: { stage: { description: None. } } }';
    expect(() => routes(`[${server}]`)).toThrow(/servers\/0\/variables\/stage\): has no default/);
  });

  test('variables of the host are not multiplied', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    const variables = names.map(
      (name) => `${name}: { default: "1", enum: ["1", "2", "3", "4", "5", "6", "7", "8"] }`,
    );
    const host = names.map((name) => `{${name}}`).join('.');
    expect(routes(`[{ url: "https://${host}/v1", variables: { ${variables.join(', ')} } }]`)).toEqual([
      '/v1/a',
    ]);
  });
});

const warnings = (schema: string) =>
  checkDescription(
    write({
      'api.yaml': `${start}paths: { /a: { get: { parameters: [{ name: q, in: query, schema: ${schema} }], ${answer} } } }`,
    }),
  ).warnings.map(({ reason }) => reason);

describe('a pattern that can take seconds is warned of', () => {
  test.each([
    "{ type: string, pattern: '\\s+x$' }",
    "{ type: string, pattern: '^(a+)+$' }",
    "{ type: string, maxLength: 64, pattern: '^(a|a)*$' }",
    "{ type: string, pattern: '^(.*),(.*),(.*)$' }",
  ])('%s', (schema) => {
    expect(warnings(schema)).toEqual([expect.stringContaining('can take seconds') as string]);
  });

  test.each([
    "{ type: string, pattern: '^[a-z]+$' }",
    "{ type: string, maxLength: 64, pattern: '\\s+x$' }",
    "{ type: string, pattern: '^\\d{4}-\\d\\d$' }",
  ])('%s is none', (schema) => {
    expect(warnings(schema)).toEqual([]);
  });
});

test('a version in an example is no version of the description', () => {
  const text = JSON.stringify(
    { info: { example: { openapi: '2' } }, examples: [{ swagger: '2.0' }], openapi: '3.1.0', paths: {} },
    undefined,
    1,
  );
  expect(checkDescription(write({ 'api.json': text })).faults).toEqual([]);
});

test('a schema that only its compilation shows to be wrong is a fault', () => {
  const schema = "components: { schemas: { A: { type: object, patternProperties: { '(': {} } } } }\n";
  expect(faults({ 'api.yaml': posted('#/components/schemas/A') + schema })).toEqual([
    expect.stringMatching(/^api.yaml:\d+:\d+ Invalid regular expression: \/\(\/: Unterminated group$/),
  ]);
});
