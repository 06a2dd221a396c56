import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '../..');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(root, 'node_modules/.handlers-'));
  const compilerOptions = { rootDir: root, types: ['node'] };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'] }),
  );
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the compiler says of each handler, by the handler's name. */
function compile(handlers: Readonly<Record<string, string>>): Record<string, string> {
  for (const [name, code] of Object.entries(handlers)) {
    writeFileSync(
      join(folder, `${name}.ts`),
      `import type { Handler } from '../../src/http/handler.js';\nexport const ${name}: ${code};\n`,
    );
  }
  const { stdout } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], {
    cwd: root,
    encoding: 'utf8',
  });
  const said = Object.keys(handlers).map((name) => {
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
