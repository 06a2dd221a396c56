import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually } from '../support/eventually';
import { total } from '../support/exposition';
import { Service, disposeAll, freePort } from '../support/service';

jest.setTimeout(60_000);

const program = resolve(__dirname, '../../dist/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'start-test-'));
afterAll(async () => {
  await disposeAll();
  rmSync(folder, { recursive: true, force: true });
});

test('counts go on where the same app runs again on a port, and not where another one does', async () => {
  const env = { PORT: String(await freePort()), LEDGER_DIR: folder, WEB_CONCURRENCY: '1' };
  const counts: number[] = [];
  for (const app of ['one.js', 'one.js', 'other.js']) {
    writeFileSync(join(folder, app), 'module.exports = (req, res) => res.end();');
    const service = await Service.start({ program, args: ['start', app], cwd: folder, env });
    await eventually('the service is ready', 30_000, () => service.stdout.includes('Ready on'));
    expect((await service.get('/')).status).toBe(200);
    counts.push(total(await service.scrape(), 'flask_app_request_count', { endpoint: 'unmatched' }));
    await service.stop();
  }
  expect(counts).toEqual([1, 2, 1]);
});

/** Runs a program that does not start. Resolves with its last line and its exit. */
async function failing(file: string, args: readonly string[], port: number) {
  const service = await Service.start({
    program: file,
    args,
    cwd: folder,
    env: { PORT: String(port) },
    readyMs: 0,
  });
  const exit = await service.waitForExit(30_000);
  return { stderr: service.stderr, last: service.stderr.trimEnd().split('\n').at(-1), exit };
}

const LISTENING = `const http = require('http');
http.createServer().listen(process.env.PORT);
module.exports = (req, res) => res.end();`;

test.each<[string, string, string]>([
  ['is not there', '', 'There is no module MODULE: start wants the file of one that exports an app.'],
  ['has a fault', 'const = 5', "MODULE could not be loaded: Unexpected token '='"],
  ['throws', 'throw new Error("no database\\nat all")', 'MODULE could not be loaded: no database at all'],
  ['exports nothing', ' ', 'The export of MODULE must be a Koa app, a request listener'],
  ['listens', LISTENING, 'remove the call of "listen" in '],
])('a module that %s is told in a last line', async (_name, text, told) => {
  const file = `${_name.replaceAll(' ', '-')}.js`;
  if (text !== '') writeFileSync(join(folder, file), text);
  const { last, exit } = await failing(program, ['start', file], await freePort());
  expect(last).toContain(told.replace('MODULE', file));
  expect(exit).toEqual({ code: 1, signal: null });
});

test('a program that listens itself before it is served is told so', async () => {
  const file = join(folder, 'eager.js');
  const main = resolve(__dirname, '../../dist/main.js');
  writeFileSync(file, `const { serve } = require('${main}');\n${LISTENING}\nserve(module.exports);`);
  const port = await freePort();
  const { last, exit } = await failing(file, [], port);
  expect(last).toBe(
    `The app itself listens on port ${port}, which the service does for it: remove the call of "listen" in ${file}:3.`,
  );
  expect(exit).toEqual({ code: 1, signal: null });
});

test('a program whose app listens before this package is loaded is warned', async () => {
  writeFileSync(join(folder, 'listening.js'), LISTENING);
  const file = join(folder, 'unseen.js');
  const main = resolve(__dirname, '../../dist/main.js');
  writeFileSync(file, `const app = require('./listening.js');\nrequire('${main}').serve(app);`);
  const { stderr, exit } = await failing(file, [], await freePort());
  expect(stderr).toContain('Warning: This program has begun to listen before it is served');
  expect(exit).toEqual({ code: 1, signal: null });
});

test('a folder is run by its index.js, and a port that the app listens on beside is told', async () => {
  const [port, other] = [await freePort(), await freePort()];
  mkdirSync(join(folder, 'api'));
  const index = `require('http').createServer().listen(${other});\nmodule.exports = (req, res) => res.end();`;
  writeFileSync(join(folder, 'api/index.js'), index);
  const service = await Service.start({
    program,
    args: ['start', 'api'],
    cwd: folder,
    env: { PORT: `${port}` },
  });
  expect(service.stdout).toContain(`"port":${other},"place":"${join(folder, 'api/index.js')}:1"`);
  await service.stop();
});

test('--port goes before PORT', async () => {
  const port = await freePort();
  writeFileSync(join(folder, 'app.js'), 'module.exports = (req, res) => res.end();');
  const child = spawn(process.execPath, [program, 'start', 'app.js', '--port', String(port)], {
    cwd: folder,
    env: { PATH: process.env['PATH'], PORT: '1', LEDGER_DIR: folder, WEB_CONCURRENCY: '1' },
  });
  let log = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (log += text));
  const ended = new Promise((done) => child.on('close', done));
  try {
    await eventually('it says where it serves', 30_000, () => log.includes('Ready on'));
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
  } finally {
    child.kill();
    await ended;
  }
});
