import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadContract } from '../../src/http/routing/contract';
import { handlers } from '../fixtures/greetings/handlers';
import { describeText } from '../http/service-under-test';
import { buildProject } from '../support/project';

const GREETINGS = join(__dirname, '../fixtures/greetings/swagger.yaml');

const project = mkdtempSync(join(tmpdir(), 'compile-test-'));
const DIST = join(project, 'dist');
beforeAll(() => buildProject(project), 60_000);
afterAll(() => rmSync(project, { recursive: true }));

const REQUESTS: readonly unknown[] = [
  { path: { name: 'Ada' } },
  { path: { name: 'x'.repeat(65) } },
  { path: {} },
  { path: { name: '' }, query: 1 },
];

/**
 * Loads a description with the built program: what its validators say, whether a compiler was loaded for it, and whether V8 took the
 * cache of its code.
 */
function loadBuilt(description: string): {
  loaded: boolean;
  cached: boolean;
  said: unknown;
  operations: string[];
} {
  const program = `
    const vm = require('node:vm');
    const { compileFunction } = vm;
    let cached = false;
    vm.compileFunction = (...args) => {
      const compiled = compileFunction(...args);
      cached = compiled.cachedDataRejected === false;
      return compiled;
    };
    const { loadContract } = require(${JSON.stringify(join(DIST, 'http/routing/contract.js'))});
    const { handlers } = require(${JSON.stringify(join(DIST, 'generated/handlers.js'))});
    const { operations } = loadContract({ description: process.argv[1], handlers });
    const validate = operations.find(({ id }) => id === 'hello').validate;
    const loaded = Object.keys(require.cache).some((file) => /ajv.dist.2020|node_modules.yaml/.test(file));
    const said = ${JSON.stringify(REQUESTS)}.map((request) => validate(request) ?? null);
    console.log(JSON.stringify({ loaded, cached, said, operations: operations.map(({ id }) => id) }));
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', program, description], { encoding: 'utf8' });
  if (stderr !== '') throw new Error(stderr);
  return JSON.parse(stdout) as ReturnType<typeof loadBuilt>;
}

function loadHere() {
  const { operations } = loadContract({ description: GREETINGS, handlers });
  const validate = operations.find(({ id }) => id === 'hello')?.validate;
  return {
    said: REQUESTS.map((request) => validate?.(request) ?? null),
    operations: operations.map(({ id }) => id),
  };
}

test('the description that was built with is served without compiling anything', () => {
  expect(loadBuilt(join(DIST, 'generated/swagger/swagger.yaml'))).toEqual({
    loaded: false,
    cached: true,
    ...loadHere(),
  });
});

test('one that has been changed since is compiled', () => {
  const built = join(DIST, 'generated/swagger/swagger.yaml');
  const changed = describeText(readFileSync(GREETINGS, 'utf8').replace('maxLength: 64', 'maxLength: 65'));
  copyFileSync(`${built}.js`, `${changed}.js`);
  const { loaded, said } = loadBuilt(changed);
  expect(loaded).toBe(true);
  expect(said).toMatchObject([
    null,
    null,
    [{ path: '/path/name' }],
    [{ path: '/path/name' }, { path: '/query' }],
  ]);
});

test('what the build made is loaded wherever it lies', () => {
  const copy = describeText(readFileSync(GREETINGS, 'utf8'));
  copyFileSync(join(DIST, 'generated/swagger/swagger.yaml.js'), `${copy}.js`);
  expect(loadBuilt(copy)).toEqual({ loaded: false, cached: false, ...loadHere() });
});

test('code is not run from the cache of other code that is as long', () => {
  const text = readFileSync(GREETINGS, 'utf8');
  const [one, other] = [text, text.replace('maxLength: 64', 'maxLength: 32')].map((each) =>
    describeText(each),
  );
  for (const file of [one, other]) {
    const program = `require('${DIST}/openapi/compile-description.js').compileDescription('${file}', '${file}')`;
    expect(spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' }).stderr).toBe('');
  }
  expect(readFileSync(`${other}.js`)).toHaveLength(readFileSync(`${one}.js`).length);
  for (const end of ['', '.js']) copyFileSync(`${other}${end}`, `${one}${end}`);
  const { cached, said } = loadBuilt(String(one));
  expect(cached).toBe(false);
  expect(said).toMatchObject([null, [{ message: expect.stringContaining('32') }], {}, {}]);
});

/**
 * Returns what the validator of "make" says of bodies, and the text of the description, before and after it is compiled; of a body that is
 * valid, the body with its defaults.
 */
function saidBeforeAndAfter(schema: object, schemas: object, bodies: readonly unknown[]): unknown {
  const description = describeText(
    JSON.stringify({
      openapi: '3.1.0',
      info: { title: 'bodies', version: '1' },
      paths: {
        '/nodes': {
          post: {
            operationId: 'make',
            requestBody: { content: { 'application/json': { schema } } },
            responses: { '204': { description: 'made' } },
          },
        },
      },
      components: { schemas },
    }),
  );
  const program = `
    const [file] = process.argv.slice(1);
    const load = (name) => require(${JSON.stringify(DIST)} + name);
    const { loadContract } = load('/http/routing/contract.js');
    const said = () => {
      const { operations, text } = loadContract({ description: file, handlers: { make() {} } });
      const { validate, body } = operations.find(({ id }) => id === 'make');
      const [{ fill }] = body.contents.values();
      const filled = (value) => {
        fill?.(value);
        return fill ? { filled: value } : null;
      };
      return { text, said: ${JSON.stringify(bodies)}.map((body) => validate({ body }) ?? filled(body)) };
    };
    const before = said();
    load('/openapi/compile-description.js').compileDescription(file, file);
    console.log(JSON.stringify([before, said()]));
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', program, description], { encoding: 'utf8' });
  expect(stderr).toBe('');
  const text = readFileSync(description, 'utf8');
  const [before, after] = JSON.parse(stdout) as { text: string; said: unknown }[];
  expect([before?.text, after?.text]).toEqual([text, text]);
  return [before?.said, after?.said];
}

test('a long ring of schemas that refer to each other is compiled, and served from what was compiled', () => {
  const length = 600;
  const nodes = Array.from({ length }, (_, i) => {
    const next = { $ref: `#/components/schemas/Node${(i + 1) % length}` };
    return [`Node${i}`, { type: 'object', required: ['n'], properties: { n: { type: 'integer' }, next } }];
  });
  const schema = { $ref: '#/components/schemas/Node7' };
  const bodies = [
    { n: 1, next: { n: 2 } },
    { n: 1, next: { n: 2, next: { n: 'no' } } },
  ];
  const expected = [null, [{ path: '/body/next/next/n', message: 'must be integer' }]];
  expect(saidBeforeAndAfter(schema, Object.fromEntries(nodes), bodies)).toEqual([expected, expected]);
});

test('names, values and patterns of any script are served from what was compiled', () => {
  const schema = {
    type: 'object',
    description: 'a line\u2028, a quote \u201c, half a pair',
    required: ['größe'],
    properties: {
      größe: { enum: ['groß', '🐟'] },
      '雪"\\é': { type: 'string', pattern: '^[а-я]\\é?🐟$' },
    },
  };
  const good = { größe: '🐟', '雪"\\é': 'жé🐟' };
  const said = [
    null,
    [
      { path: '/body/größe', message: 'must be one of ["groß","🐟"]' },
      { path: '/body/雪"\\é', message: 'must match pattern "^[а-я]\\é?🐟$"' },
    ],
    [{ path: '/body/größe', message: 'is required' }],
  ];
  const bodies = [good, { größe: 'x', '雪"\\é': 'zé' }, {}];
  expect(saidBeforeAndAfter(schema, {}, bodies)).toEqual([said, said]);
});

test('defaults of a body, and of what it refers to, are put in where it is served from what was compiled', () => {
  const size = { type: 'object', properties: { unit: { default: 'mm' } } };
  const schema = { type: 'object', properties: { height: { $ref: '#/components/schemas/Size' } } };
  const said = [{ filled: { height: { unit: 'mm' } } }];
  expect(saidBeforeAndAfter(schema, { Size: size }, [{ height: {} }])).toEqual([said, said]);
});

test('defaults of a condition are put in where it is served from what was compiled', () => {
  const schema = {
    if: { required: ['a'] },
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
    then: { patternProperties: { b: { properties: { c: { default: 1 } } } } },
  };
  const said = [{ filled: { a: 1, b: { c: 1 } } }, { filled: { b: {} } }];
  expect(saidBeforeAndAfter(schema, {}, [{ a: 1, b: {} }, { b: {} }])).toEqual([said, said]);
});

const to = (name: string) => ({ $ref: `#/components/schemas/${name}` });

test('equal schemas, and those that refer to each other, are all found', () => {
  const holder = { type: 'object', properties: { z: to('Z') } };
  const schemas = {
    Holder: holder,
    Z: {
      properties: { equal: to('Equal'), holder: to('Holder'), alias: to('Alias'), n: { type: 'integer' } },
    },
    Equal: holder,
    Alias: to('Other'),
    Other: { properties: { alias: to('Alias'), n: { type: 'integer' } } },
  };
  const below = ['equal/z', 'holder/z', 'alias', 'alias/alias'];
  const bodies = below.map((path) =>
    path.split('/').reduceRight<object>((inner, name) => ({ [name]: inner }), { n: 'no' }),
  );
  const said = below.map((path) => [{ path: `/body/z/${path}/n`, message: 'must be integer' }]);
  const sent = bodies.map((z) => ({ z }));
  expect(saidBeforeAndAfter(to('Holder'), schemas, sent)).toEqual([said, said]);
});
