import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateProject, write } from '../support/project';

const folder = mkdtempSync(join(tmpdir(), 'handler-types-'));

beforeAll(() => {
  generateProject(folder);
  const compilerOptions = { rootDir: '..', types: ['node'] };
  write(folder, {
    'types/tsconfig.json': JSON.stringify({
      extends: '../tsconfig.json',
      compilerOptions,
      include: ['*.ts'],
    }),
  });
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Returns the compiler's errors of each handler, by the handler's name. */
function compile(handlers: Readonly<Record<string, string>>, service?: string): Record<string, string> {
  if (service !== undefined)
    write(folder, {
      'types/service.ts': `import { defineService } from '../src/http/define-service.js';\n${service}`,
    });
  for (const [name, code] of Object.entries(handlers)) {
    write(folder, {
      [`types/${name}.ts`]: `import type { Handler } from '../src/http/handler.js';\nexport const ${name}: ${code};\n`,
    });
  }
  const { stdout } = spawnSync(join(folder, 'node_modules/.bin/tsc'), ['-p', 'types'], {
    cwd: folder,
    encoding: 'utf8',
  });
  const names = [...Object.keys(handlers), ...(service === undefined ? [] : ['service'])];
  const said = names.map((name) => {
    const lines = stdout.split('\n').filter((line) => line.includes(`/${name}.ts(`));
    return [name, lines.join('\n')];
  });
  return Object.fromEntries(said) as Record<string, string>;
}

test('a handler that disagrees with the description does not compile', () => {
  const said = compile({
    right: "Handler<'echo'> = ({ body }) => ({ message: body.message.toUpperCase() })",
    rightLater: "Handler<'hello'> = ({ path }) => Promise.resolve({ message: path.name })",
    rightText: "Handler<'docs'> = (_, ctx) => ctx.path",
    rightBytes: "Handler<'docs'> = () => new Uint8Array(1)",
    rightStream: "Handler<'docs'> = () => new Blob(['a']).stream()",
    rightGenerator: "Handler<'docs'> = async function* () { yield 'a'; }",
    noParameter: "Handler<'hello'> = ({ path }) => ({ message: path.nam })",
    wrongParameter: "Handler<'hello'> = ({ path }) => ({ message: path.name.toFixed(1) })",
    noBody: "Handler<'greet'> = ({ body }) => ({ message: String(body) })",
    noField: "Handler<'echo'> = ({ body }) => ({ message: body.text })",
    wrongAnswer: "Handler<'echo'> = () => ({ message: 1 })",
    poorAnswer: "Handler<'echo'> = () => ({})",
    lateAnswer: "Handler<'echo'> = () => Promise.resolve({ message: 1 })",
    noAnswer: "Handler<'echo'> = () => undefined",
    noOperation: "Handler<'ech'> = () => ({ message: 'a' })",
  });
  expect(said).toEqual({
    right: '',
    rightLater: '',
    rightText: '',
    rightBytes: '',
    rightStream: '',
    rightGenerator: '',
    noParameter: expect.stringMatching(/Property 'nam' does not exist/) as string,
    wrongParameter: expect.stringMatching(/'toFixed' does not exist on type 'string'/) as string,
    noBody: expect.stringMatching(/Property 'body' does not exist/) as string,
    noField: expect.stringMatching(/Property 'text' does not exist on type 'Message'/) as string,
    wrongAnswer: expect.stringMatching(/error TS2322/) as string,
    poorAnswer: expect.stringMatching(/error TS2322/) as string,
    lateAnswer: expect.stringMatching(/error TS2322/) as string,
    noAnswer: expect.stringMatching(/error TS2322/) as string,
    noOperation: expect.stringMatching(/'"ech"' does not satisfy/) as string,
  });
}, 60_000);

test('what start and security of the service give is typed in handlers, without a cast', () => {
  const said = compile(
    {
      resources: "Handler<'metrics'> = (_, ctx) => ctx.resources.pool.query('text')",
      principal: "Handler<'metrics'> = ({ principal }) => principal?.scraper ?? 'nobody'",
      log: "Handler<'greet'> = (_, { log, operation }) => (log.info('a'), { message: operation.id })",
      noResource: "Handler<'metrics'> = (_, ctx) => ctx.resources.pol.query('text')",
      noPrincipal: "Handler<'metrics'> = ({ principal }) => principal?.scrapr ?? 'nobody'",
      anonymous: "Handler<'metrics'> = ({ principal }) => principal.scraper",
    },
    `const start = async () => ({ pool: { query: (text: string) => text } });
const security = { metricsToken: async (token: string) => (token === '' ? undefined : { scraper: token }) };
declare module '../src/http/handler.js' {
  interface Provided { start: typeof start; security: typeof security }
}
export const service = defineService({ description: '', handlers: {}, start, security,
  ready: { pool: ({ pool }) => pool.query('') }, stop: ({ pool }) => pool.query('') });
`,
  );
  expect(said).toEqual({
    resources: '',
    principal: '',
    log: '',
    noResource: expect.stringMatching(/Property 'pol' does not exist/) as string,
    noPrincipal: expect.stringMatching(/Property 'scrapr' does not exist/) as string,
    anonymous: expect.stringMatching(/'principal' is possibly 'undefined'/) as string,
    service: '',
  });
}, 60_000);
