import { loadContract } from '../../src/http/routing/contract';
import { Description } from '../../src/openapi/description';
import { findOperations } from '../../src/openapi/operations/operations';
import { Schemas } from '../../src/openapi/schemas/schemas';
import type { Complaint } from '../../src/openapi/schemas/validation';
import { describeApi, operation } from '../http/service-under-test';

const content = (schema: object) => ({ content: { 'application/json': { schema } } });

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });

const told = (complaints: readonly Complaint[] | undefined) =>
  complaints?.map(({ path, message }) => `${path} ${message}`.trim()) ?? [];

/** Loads the operation of `GET /{id}` or `POST /`. */
function loaded(more: object, schemas: object, path = '/', openapi = '3.1.0') {
  const paths = { [path]: { [path === '/' ? 'post' : 'get']: operation('a', more) } };
  const [found] = loadContract({
    description: describeApi(paths, { schemas }, { openapi }),
    handlers: { a: () => ({}) },
  }).operations;
  if (!found) throw new Error('there is no operation');
  return found;
}

/** Returns the complaints about a body of this schema. */
function aboutBody(schema: object, body: unknown, schemas: object = {}): string[] {
  const [read] = loaded({ requestBody: content(schema) }, schemas).body?.contents.values() ?? [];
  return told(read?.validate?.({ ...nothing, body }));
}

/** Returns the complaints about an answer of this schema. */
function aboutAnswer(schema: object, answer: unknown, schemas: object = {}): string[] {
  const { responses } = loaded({ responses: { 200: { description: '', ...content(schema) } } }, schemas);
  const [validate] = responses.get('200')?.contents.values() ?? [];
  return told(validate?.(answer));
}

const nothing = { path: {}, query: {}, header: {}, cookie: {} };

describe('what stands beside a limit is checked too', () => {
  test.each<[string, object, unknown, unknown]>([
    ['a pattern of names', { propertyNames: { maxLength: 4, pattern: '^[a-z]+$' } }, { a: 1 }, { A1: 1 }],
    ['a choice of names', { propertyNames: { maxLength: 4, enum: ['a', 'b'] } }, { a: 1 }, { c: 1 }],
    [
      'a reference of names',
      { propertyNames: { $ref: '#/components/schemas/Name', maxLength: 4 } },
      { a: 1 },
      { A: 1 },
    ],
    [
      'a shorter limit of names than that of a part',
      { propertyNames: { maxLength: 1 }, allOf: [{ propertyNames: { maxLength: 4 } }] },
      { a: 1 },
      { ab: 1 },
    ],
    ['a pattern of a text', { maxLength: 2, pattern: '^a', allOf: [{ maxLength: 4 }] }, 'ab', 'b'],
    [
      'a shorter limit of a text than that of a part',
      { maxLength: 2, allOf: [{ maxLength: 4 }] },
      'ab',
      'abc',
    ],
    ['unique items', { maxItems: 2, uniqueItems: true, minItems: 1 }, [1, 2], [1, 1]],
    [
      'a pattern of properties',
      { maxProperties: 2, patternProperties: { '^a': { type: 'string' } } },
      { a: '' },
      { a: 1 },
    ],
  ])('%s', (_, schema, good, bad) => {
    const schemas = { Name: { type: 'string', pattern: '^[a-z]+$' } };
    expect(aboutBody(schema, good, schemas)).toEqual([]);
    expect(aboutBody(schema, bad, schemas)).not.toEqual([]);
  });

  test('but not on names that are too long', () => {
    const schema = { propertyNames: { maxLength: 4, pattern: '^[a-z]+$' } };
    expect(aboutBody(schema, { A1234: 1 })).toEqual(['/body/A1234 must NOT have more than 4 characters']);
  });
});

test.each<[object, string]>([
  [{ pattern: '^[a-z]$' }, 'must match pattern "^[a-z]$"'],
  [{ anyOf: [{ minLength: 4 }, { const: 'a' }] }, 'must NOT have fewer than 4 characters, or must be "a"'],
  [ref('Name'), 'has a name that is not allowed'],
])('a name that %j does not take is said with its place', (propertyNames, message) => {
  const schemas = { Name: { allOf: [ref('Letter')] }, Letter: { pattern: '^[a-z]$' } };
  expect(aboutBody({ propertyNames }, { AA: 1, AAB: 1, 'B/': 1, a: 1 }, schemas)).toEqual(
    expect.arrayContaining(['AA', 'AAB', 'B~1'].map((name) => `/body/${name} ${message}`)),
  );
});

test('a choice of an item says nothing of the item that has ten times its number', () => {
  const body = Array.from({ length: 11 }, (_, index) => (index % 9 === 1 ? null : 'a'));
  const items = { anyOf: [{ type: 'string' }, { type: 'integer' }] };
  const message = 'must be string, or must be integer';
  expect(aboutBody({ items }, body)).toEqual([`/body/1 ${message}`, `/body/10 ${message}`]);
});

test.each<[string, object]>([
  ['a schema that refers to itself', { $ref: '#/components/schemas/Node' }],
  ['a choice', { anyOf: [ref('Node'), { type: 'object', required: ['a', 'b', 'c'] }] }],
])('30,000 items that are not %s are refused in a time that grows with their number', (_, items) => {
  const Node = {
    type: 'object',
    required: ['value'],
    properties: { nodes: { type: 'array', items: ref('Node') } },
  };
  const list = Array.from({ length: 30_000 }, () => ({}));
  const schemas = { Node, List: { type: 'array', items: ref('Item') }, Item: items };
  const start = performance.now();
  expect(aboutBody(ref('List'), list, schemas)[0]).toMatch('is required');
  // It takes a quarter of a second, or more than twenty seconds in a time that grows with the square.
  expect(performance.now() - start).toBeLessThan(4000);
  const requestBody = content(ref('List'));
  const description = new Description(
    describeApi({ '/': { post: operation('a', { requestBody }) } }, { schemas }),
  );
  const built = new Schemas(description);
  findOperations(description, built);
  expect(built.moduleCode()).not.toMatch('vErrors.concat');
});

describe('a choice of schemas that refer to it', () => {
  const kinds = ['and', 'or', 'xor'];
  const branches: [string, (kind: string) => object][] = [
    ['kind', (kind) => ({ required: ['kind'], properties: { kind: { const: kind }, below: ref('Term') } })],
    ['properties', (kind) => ({ required: [kind], properties: { below: ref('Term') } })],
  ];
  const schemasOf = (branch: (kind: string) => object) => ({
    Term: { oneOf: [...kinds.map((kind) => ref(kind)), ref('Leaf')] },
    Leaf: { required: ['leaf'], properties: { leaf: { type: 'number' } } },
    ...Object.fromEntries(kinds.map((kind) => [kind, { type: 'object', ...branch(kind) }])),
  });

  test.each(branches)('looks into a value for the branch that it is of, which its %s tell', (_, branch) => {
    let reads = 0;
    let value: object = Object.defineProperty({}, 'leaf', { enumerable: true, get: () => (reads += 1) });
    for (let depth = 0; depth < 10; depth += 1) {
      const kind = kinds[depth % 3] ?? '';
      value = { kind, [kind]: true, below: value };
    }
    expect(aboutBody(ref('Term'), value, schemasOf(branch))).toEqual([]);
    expect(reads).toBeLessThan(100);
  });

  test('says once what is wrong, with all branches', () => {
    const schemas = schemasOf(branches[0]![1]);
    const body = { kind: 'and', below: { leaf: 'a' } };
    expect(aboutBody({ properties: { term: ref('Term') } }, { term: body, other: 1 }, schemas)).toEqual([
      '/body/term /below/kind is required, or /below/leaf must be number, or /kind must be "or", or /kind must be "xor", or /leaf is required',
    ]);
    const twice = { oneOf: [ref('Leaf'), { type: 'null' }, { properties: { leaf: { minimum: 1 } } }] };
    expect(aboutBody(twice, { leaf: 2 }, schemas)).toEqual(['/body must match exactly one schema in oneOf']);
  });
});

const branch = (kind: string, more: object) => ({ properties: { kind: { const: kind }, ...more } });

describe('readOnly and writeOnly', () => {
  const Id = { type: 'integer', readOnly: true };
  const Secret = { type: 'string', writeOnly: true };
  const Base = {
    type: 'object',
    required: ['id', 'secret'],
    properties: { id: { type: 'integer' }, secret: { type: 'string' } },
  };
  const schemas = { Id, Secret, Base };

  test.each<[string, object]>([
    ['itself', { properties: { id: Id, secret: Secret } }],
    ['by reference', { properties: { id: ref('Id'), secret: ref('Secret') } }],
    ['in a part', { properties: { id: { allOf: [ref('Id')] }, secret: { allOf: [ref('Secret')] } } }],
    ['by a pattern of its name', { patternProperties: { '^id$': Id, '^secret$': ref('Secret') } }],
    ['in a branch', { anyOf: [{ properties: { id: Id, secret: Secret } }, false] }],
  ])('hide a property that says it %s', (_, schema) => {
    expect(aboutBody(schema, { id: 1 }, schemas)).toEqual([expect.stringMatching(/id is read-only/)]);
    expect(aboutBody(schema, { secret: 'a' }, schemas)).toEqual([]);
    expect(aboutAnswer(schema, { secret: 'a' }, schemas)).toEqual([
      expect.stringMatching(/secret is write-only/),
    ]);
    expect(aboutAnswer(schema, { id: 1 }, schemas)).toEqual([]);
  });

  test.each<[string, (one: object) => object, (value: unknown) => unknown]>([
    ['the whole', (one) => one, (value) => value],
    ['an item', (one) => ({ type: 'array', items: one }), (value) => [value]],
    ['a value of a map', (one) => ({ additionalProperties: one }), (value) => ({ a: value })],
    ['a branch', (one) => ({ anyOf: [one, { type: 'null' }] }), (value) => value],
  ])('hide no value that is no property, but %s', (_, around, value) => {
    expect(aboutBody(around(ref('Id')), value(1), schemas)).toEqual([]);
    expect(aboutBody(around(ref('Id')), value('a'), schemas)).not.toEqual([]);
    expect(aboutAnswer(around(ref('Secret')), value('a'), schemas)).toEqual([]);
    expect(aboutAnswer(around(ref('Secret')), value(1), schemas)).not.toEqual([]);
  });

  test('hide a property that another part, by reference, requires', () => {
    const schema = { allOf: [ref('Base'), { properties: { id: Id, secret: Secret } }] };
    expect(aboutBody(schema, { secret: 'a' }, schemas)).toEqual([]);
    expect(aboutBody(schema, {}, schemas)).toEqual(['/body/secret is required']);
    expect(aboutAnswer(schema, { id: 1 }, schemas)).toEqual([]);
    expect(aboutAnswer(schema, {}, schemas)).toEqual(['/id is required']);
    const inside = { required: ['id'], properties: { base: schema, other: ref('Base') } };
    expect(aboutBody(inside, { id: 1, base: { secret: 'a' }, other: {} }, schemas)).toEqual([
      '/body/other/id is required',
      '/body/other/secret is required',
    ]);
  });

  test('hide a property that each branch of a choice hides, and no other', () => {
    const schema = {
      required: ['id', 'kind', 'name'],
      oneOf: [branch('a', { id: Id, name: Id }), branch('b', { id: ref('Id'), name: {} })],
    };
    expect(aboutBody(schema, { kind: 'b', name: 'c' }, schemas)).toEqual([]);
    expect(aboutBody(schema, { kind: 'b' }, schemas)).toEqual(['/body/name is required']);
    expect(aboutBody(schema, { kind: 'b', name: 'c', id: 1 }, schemas)).not.toEqual([]);
    expect(aboutAnswer(schema, { kind: 'b', name: 'c' }, schemas)).toEqual(['/id is required']);
  });

  test('hide a property of a schema that is a part of itself', () => {
    const Node = {
      required: ['id', 'child'],
      properties: { id: { type: 'integer' }, child: { anyOf: [{ type: 'null' }, ref('Node')] } },
    };
    const schema = { allOf: [ref('Node')], properties: { id: Id } };
    expect(aboutBody(schema, { child: null }, { Node })).toEqual([]);
    expect(aboutBody(schema, { child: { id: 1, child: null } }, { Node })).toEqual([]);
    expect(aboutBody(schema, { child: { child: null } }, { Node })).not.toEqual([]);
  });

  test.each<[string, object]>([
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
    ['a condition', { if: { required: ['id'] }, then: { required: ['secret'] } }],
    ['what must not be', { not: { required: ['id', 'name'] } }],
  ])('hide a property that %s asks for: it is not there', (_, more) => {
    const schema = { properties: { id: Id, secret: Secret }, ...more };
    expect(aboutBody(schema, { name: 'a' }, schemas)).toEqual([]);
  });

  test('hide no parameter', () => {
    const parameters = [{ name: 'id', in: 'path', required: true, schema: ref('Id') }];
    const { validate } = loaded({ parameters }, schemas, '/{id}');
    expect(told(validate?.({ ...nothing, path: { id: 5 } }))).toEqual([]);
    expect(told(validate?.({ ...nothing, path: { id: 'a' } }))).toEqual(['/path/id must be integer']);
  });
});

const nullable = (name: string, more: object) => ({ nullable: true, allOf: [ref(name)], ...more });

describe('beside `nullable` and `allOf` of OpenAPI 3.0', () => {
  const schemas = {
    Text: { type: 'string', maxLength: 2 },
    File: { type: 'string', format: 'binary' },
  };
  const parameters = [{ name: 'q', in: 'query', schema: nullable('Text', { default: 'a' }) }];
  const schema = {
    type: 'object',
    required: ['owner'],
    properties: {
      owner: nullable('Text', { readOnly: true }),
      name: nullable('Text', { default: 'b' }),
      none: nullable('Text', { default: null }),
      file: nullable('File', { description: 'A file.' }),
    },
  };
  const requestBody = { content: { 'multipart/form-data': { schema } } };
  const { body, parameters: read } = loaded({ requestBody, parameters }, schemas, '/', '3.0.3');
  const [form] = body?.contents.values() ?? [];
  const about = (value: object) => told(form?.validate?.({ ...nothing, body: value }));

  test('readOnly hides a property', () => {
    expect(about({})).toEqual([]);
    expect(about({ owner: 'a' })).toEqual(['/body/owner is read-only']);
  });

  test('a default counts, which may be null', () => {
    const value = {};
    form?.fill?.(value);
    expect(value).toEqual({ name: 'b', none: null });
    expect(read.map(({ fallback }) => fallback)).toEqual(['a']);
  });

  test('null is allowed, and what the parts allow', () => {
    expect(about({ name: null })).toEqual([]);
    expect(about({ name: 'ab' })).toEqual([]);
    expect(about({ name: 'abc' })).not.toEqual([]);
  });

  test('a file is one', () => {
    expect([...(form?.files.keys() ?? [])]).toEqual(['file']);
  });
});

test('what is read-only is not required of a request that has another property', () => {
  const properties = { id: { type: 'string', readOnly: true }, a: { type: 'integer' }, b: {} };
  const schema = { properties, dependentRequired: { a: ['id', 'b'] } };
  expect(aboutBody(schema, { a: 1, b: 2 })).toEqual([]);
  expect(aboutBody(schema, { a: 1 })).toEqual(['/body/b is required']);
  expect(aboutAnswer(schema, { a: 1, b: 2 })).toEqual(['/id is required']);
});

/** Returns a body with the defaults of its schema. */
function filled(schema: object, body: unknown, schemas: object = {}): unknown {
  const [read] = loaded({ requestBody: content(schema) }, schemas).body?.contents.values() ?? [];
  read?.fill?.(body);
  return body;
}

const pet = { type: 'object', required: ['kind'], oneOf: [ref('Cat'), { type: 'null' }] };

test.each<[string, Record<string, object>]>([
  ['a reference', { Pet: ref('Cat'), Cat: ref('Pet') }],
  ['a part', { Pet: { allOf: [ref('Pet')], type: 'object' } }],
  ['a branch of a part', { Pet: pet, Cat: { allOf: [ref('Pet'), { required: ['purrs'] }] } }],
  ['what it must not be', { Pet: { not: ref('Pet') } }],
])('a schema that is %s of itself for the same value is refused by name', (_, schemas) => {
  expect(() => aboutBody(ref('Pet'), {}, schemas)).toThrow('(#/components/schemas/Pet): never ends');
});

test.each([null, 5])('a list of branches that is %s is refused as no list', (oneOf) => {
  expect(() => aboutBody(ref('Pet'), {}, { Pet: { oneOf } })).toThrow(
    '(#/components/schemas/Pet/oneOf): must be a list',
  );
});

const chain = (length: number) => {
  let value: object = {};
  for (let depth = 0; depth < length; depth += 1) value = { next: value };
  return value;
};

test.each<[string, Record<string, object>]>([
  [
    'branches that nothing tells apart',
    {
      Node: { anyOf: [ref('One'), ref('Other')] },
      One: { properties: { next: ref('Node'), one: { type: 'string' } } },
      Other: { properties: { next: ref('Node'), other: { type: 'string' } } },
    },
  ],
  [
    'parts',
    {
      Node: { allOf: [ref('One'), ref('Other')] },
      One: { properties: { next: ref('Node') } },
      Other: { properties: { next: ref('Node') } },
    },
  ],
])(
  'a value of a schema that refers to itself from %s is refused where it would take for ever',
  (_, schemas) => {
    expect(aboutBody(ref('Node'), chain(10), schemas)).toEqual([]);
    expect(aboutBody(ref('Node'), chain(90), schemas)).toEqual(['is nested too deep']);
  },
);

test('a long list is checked, however many calls of schemas it takes', () => {
  const Item = { type: 'object', properties: { of: ref('Item'), also: ref('Item') } };
  const list = Array.from({ length: 400_000 }, () => ({ of: {}, also: {} }));
  expect(aboutBody({ type: 'array', items: ref('Item') }, list, { Item })).toEqual([]);
});

test('of a long enum some values are told', () => {
  const values = Array.from({ length: 10_000 }, (__, index) => index);
  expect(aboutBody({ enum: values }, -1)).toEqual([expect.stringMatching(/^.{20}.*,98,99, … 9900 more\]$/)]);
});

/** Two properties whose defaults are the next level. */
const level = (n: number) => {
  const below = { ...ref(`L${n + 1}`), default: {} };
  return [`L${n}`, { properties: n < 30 ? { a: below, b: below } : { c: { default: 1 } } }] as const;
};

describe('defaults', () => {
  const N = { type: 'object', properties: { child: { $ref: '#/components/schemas/N', default: {} } } };
  const A = { type: 'object', properties: { b: ref('B') } };
  const B = { type: 'object', properties: { a: { allOf: [ref('A')], default: { b: {} } } } };
  const Choice = { anyOf: [{ properties: { child: { ...ref('Choice'), default: {} } } }] };

  test.each([
    ['itself', 'N', { N }, 'N/properties/child'],
    ['itself through another', 'A', { A, B }, 'B/properties/a'],
    ['itself in a branch', 'Choice', { Choice }, 'Choice/anyOf/0/properties/child'],
  ])('one that holds %s is refused by name', (_, name, schemas, place) => {
    expect(() => filled(ref(name), {}, schemas)).toThrow(
      `(#/components/schemas/${place}/default): never ends`,
    );
  });

  test('one that is doubled at each level is refused by name', () => {
    const schemas = Object.fromEntries(Array.from({ length: 31 }, (_, n) => level(n)));
    expect(() => filled(ref('L0'), {}, schemas)).toThrow(
      /L\d+\/properties\/a\/default\): becomes longer than 100000 characters/,
    );
  });

  test('one of a schema that refers to itself may end', () => {
    const List = { properties: { next: { ...ref('List'), default: { next: null } }, size: { default: 1 } } };
    expect(filled(ref('List'), {}, { List })).toEqual({ next: { next: null, size: 1 }, size: 1 });
  });

  test('each of additional properties and of those of a pattern go only into these', () => {
    const schema = {
      properties: { known: {} },
      patternProperties: {
        '^x': { properties: { x: { default: 1 } } },
        y$: { properties: { y: { default: 2 } } },
      },
      additionalProperties: { properties: { other: { default: 3 } } },
    };
    expect(filled(schema, { known: {}, x: {}, y: {}, xy: {}, z: {} })).toEqual({
      known: {},
      x: { x: 1 },
      y: { y: 2 },
      xy: { x: 1, y: 2 },
      z: { other: 3 },
    });
  });

  test('each of conditions and of dependent schemas is put in where it applies', () => {
    const schema = {
      if: { properties: { kind: { const: 'cat' } }, required: ['kind'] },
      // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
      then: { properties: { lives: { default: 9 } } },
      else: { properties: { lives: { default: 1 } } },
      dependentSchemas: { card: { properties: { currency: { default: 'EUR' } } } },
    };
    expect(filled(schema, { kind: 'cat' })).toEqual({ kind: 'cat', lives: 9 });
    expect(filled(schema, { card: '1' })).toEqual({ card: '1', lives: 1, currency: 'EUR' });
  });
});
