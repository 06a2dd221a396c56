import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually';
import { request } from '../support/exchange';
import { groupMembers } from '../support/processes';
import { copyProject, runScript } from '../support/project';
import { freePort } from '../support/service';

jest.setTimeout(180_000);

let folder: string;
let port: number;
let child: ChildProcess;
let output = '';
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dev-test-'));
  copyProject(folder);
  port = await freePort();
});
afterEach(async () => {
  child.kill('SIGTERM');
  await eventually('the end of all of it', 20_000, () => groupMembers(child.pid ?? 0).length === 0);
  rmSync(folder, { recursive: true, force: true });
});

async function start(command: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<void> {
  const env = { ...process.env, HOST: '127.0.0.1', PORT: String(port), WEB_CONCURRENCY: '1', ...more };
  child = spawn(command, args, { cwd: folder, detached: true, stdio: 'pipe', env });
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
  await eventually('the service is up', 60_000, async () => (await greeting()).includes('Hello'));
}

async function greeting(): Promise<string> {
  return request(port, '/').then(
    ({ body }) => body.toString(),
    () => 'not up',
  );
}

/** The greeting that is defined in this file from now on. */
function define(file: string, message: string): void {
  writeFileSync(join(folder, file), `export const message = '${message}';\n`);
}

test('a source that changes is served, also one in a folder that was made meanwhile; a mistake leaves what there was', async () => {
  await start(process.execPath, ['scripts/dev.mjs']);

  mkdirSync(join(folder, 'src/handlers/words'));
  define('src/handlers/words/message.ts', 'FIRST');
  const greet = join(folder, 'src/handlers/greet.ts');
  const text = readFileSync(greet, 'utf8').replace(/message: '[^']*'/, 'message');
  writeFileSync(greet, `import { message } from './words/message.js';\n${text}`);
  await eventually('the first change', 60_000, async () => (await greeting()).includes('FIRST'));

  define('src/handlers/words/message.ts', 'SECOND');
  await eventually('the second change', 60_000, async () => (await greeting()).includes('SECOND'));

  define('src/handlers/words/message.ts', "'broken");
  await eventually('word of the mistake', 60_000, () => output.includes('do not compile'));
  expect(await greeting()).toContain('SECOND');
});

test('the command ends with npm, which ends without telling it', async () => {
  runScript(folder, 'build');
  const script = `${process.execPath} dist/cli/main.js dev`;
  const npm = { npm_lifecycle_event: 'dev', npm_lifecycle_script: script };
  await start('sh', ['-c', `${script}; exit`], npm);
  child.kill('SIGKILL');
  await eventually('nobody is left', 20_000, () => groupMembers(child.pid ?? 0).length === 0);
  expect(await greeting()).toBe('not up');
});
