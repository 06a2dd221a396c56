import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
