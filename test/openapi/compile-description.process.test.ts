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

/** Loads a description with the built program: what its validators say, and whether a compiler was loaded for it. */
function loadBuilt(description: string): { loaded: boolean; said: unknown; operations: string[] } {
  const program = `
    const { loadContract } = require(${JSON.stringify(join(DIST, 'http/routing/contract.js'))});
    const { handlers } = require(${JSON.stringify(join(DIST, 'generated/handlers.js'))});
    const { operations } = loadContract({ description: process.argv[1], handlers });
    const validate = operations.find(({ id }) => id === 'hello').validate;
    const loaded = Object.keys(require.cache).some((file) => /ajv.dist.2020|node_modules.yaml/.test(file));
    const said = ${JSON.stringify(REQUESTS)}.map((request) => validate(request) ?? null);
    console.log(JSON.stringify({ loaded, said, operations: operations.map(({ id }) => id) }));
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
  expect(loadBuilt(join(DIST, 'generated/swagger/swagger.yaml'))).toEqual({ loaded: false, ...loadHere() });
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
  expect(loadBuilt(copy)).toEqual({ loaded: false, ...loadHere() });
});

test('a long ring of schemas that refer to each other is compiled, and served from what was compiled', () => {
  const length = 600;
  const nodes = Array.from({ length }, (_, i) => {
    const next = { $ref: `#/components/schemas/Node${(i + 1) % length}` };
    return [`Node${i}`, { type: 'object', required: ['n'], properties: { n: { type: 'integer' }, next } }];
  });
  const schema = { $ref: '#/components/schemas/Node7' };
  const description = describeText(
    JSON.stringify({
      openapi: '3.1.0',
      info: { title: 'ring', version: '1' },
      paths: {
        '/nodes': {
          post: {
            operationId: 'make',
            requestBody: { content: { 'application/json': { schema } } },
            responses: { '204': { description: 'made' } },
          },
        },
      },
      components: { schemas: Object.fromEntries(nodes) },
    }),
  );
  const program = `
    const [file] = process.argv.slice(1);
    const load = (name) => require(${JSON.stringify(DIST)} + name);
    const { loadContract } = load('/http/routing/contract.js');
    const said = () => {
      const { operations } = loadContract({ description: file, handlers: { make() {} } });
      const validate = operations.find(({ id }) => id === 'make').validate;
      return [{ n: 1, next: { n: 2 } }, { n: 1, next: { n: 2, next: { n: 'no' } } }].map((body) => validate({ body }) ?? null);
    };
    const compiled = said();
    load('/openapi/compile-description.js').compileDescription(file, file);
    console.log(JSON.stringify([compiled, said()]));
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', program, description], { encoding: 'utf8' });
  expect(stderr).toBe('');
  const expected = [null, [{ path: '/body/next/next/n', message: 'must be integer' }]];
  expect(JSON.parse(stdout)).toEqual([expected, expected]);
});
