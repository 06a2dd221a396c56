import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkerStatus } from '../../src/metrics/worker-status';
import { eventually } from '../support/eventually';
import { request } from '../support/exchange';
import { freePort } from '../support/service';

let folder: string;
let port: number;
const instances: Worker[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'instances-'));
  port = await freePort();
});

afterEach(async () => {
  for (const instance of instances.splice(0)) {
    const ended = once(instance, 'exit');
    if (instance.process.kill('SIGKILL')) await ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

/** Starts two instances of a program, under a primary that is not ours, as PM2's is. */
async function start(exec: string, args: readonly string[] = [], env: object = {}): Promise<void> {
  cluster.setupPrimary({ exec: join(process.cwd(), exec), args: [...args], execArgv: [], silent: true });
  let log = '';
  for (const NODE_APP_INSTANCE of [0, 1]) {
    const own = { HOST: '127.0.0.1', PORT: port, LEDGER_DIR: folder, NODE_APP_INSTANCE, ...env };
    const instance = cluster.fork(own);
    instance.process.stdout?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    instances.push(instance);
  }
  await eventually('both are ready', 20_000, () => log.match(/"Ready"/g)?.length === 2);
}

/** Asks for the page and its data; gives the state of the instances. */
async function look(at: number, headers: Record<string, string> = {}): Promise<WorkerStatus[]> {
  const page = await request(at, '/status', { headers });
  expect(page.status).toBe(200);
  expect(page.body.toString()).toContain('src="status/status.js"');
  const metrics = await request(at, '/status/metrics.txt', { headers });
  expect(metrics.body.toString()).toContain('flask_app_workers{state="ready"} 2');
  const { status, body } = await request(at, '/status/workers.json', { headers });
  expect(status).toBe(200);
  return JSON.parse(body.toString()) as WorkerStatus[]; // what the page reads
}

const pids = () => instances.map(({ process: { pid } }) => pid);

test('any instance has the page, which shows all of them', async () => {
  await start('test/fixtures/service.js');
  const shown = await look(port);
  expect(shown.map(({ worker, pid, state }) => ({ worker, pid, state }))).toEqual([
    { worker: 1, pid: pids()[0], state: 'ready' },
    { worker: 2, pid: pids()[1], state: 'ready' },
  ]);
  for (const { rssBytes = 0, cpu = -1, requestsPerSecond = -1 } of shown)
    expect([rssBytes > 1e7, cpu >= 0, requestsPerSecond >= 0]).toEqual([true, true, true]);
  const busy = await eventually('it shows the traffic', 20_000, async () => {
    const requests = Array.from({ length: 20 }, () => request(port, '/slow?ms=400'));
    const workers = JSON.parse(
      (await request(port, '/status/workers.json')).body.toString(),
    ) as WorkerStatus[];
    await Promise.all(requests);
    return workers.reduce((sum, { requestsPerSecond = 0 }) => sum + requestsPerSecond, 0) > 10 && workers;
  });
  expect(Math.max(...busy.map(({ p99Seconds = 0 }) => p99Seconds))).toBeGreaterThan(0.2);
});

test('with METRICS_PORT and a token it is there, behind the token, and not on the port of the API', async () => {
  const metricsPort = await freePort();
  await start('test/fixtures/service.js', [], { METRICS_PORT: metricsPort, METRICS_TOKEN: 'sesame' });
  expect((await request(port, '/status')).status).toBe(404);
  for (const path of ['/status', '/status/workers.json'])
    expect((await request(metricsPort, path)).status).toBe(401);
  const shown = await look(metricsPort, { Authorization: 'Bearer sesame' });
  expect(shown.map(({ pid }) => pid)).toEqual(pids());
});

test('an app without a description has it, too', async () => {
  const app = join(folder, 'app.js');
  writeFileSync(app, 'module.exports = (req, res) => res.end("here");');
  await start('dist/cli/main.js', ['start', app]);
  expect((await request(port, '/')).body.toString()).toBe('here');
  expect((await look(port)).map(({ pid }) => pid)).toEqual(pids());
});

test.each([false, true])('STATUS_PAGE=off removes it (METRICS_PORT: %j)', async (isSet) => {
  const metricsPort = await freePort();
  const at = isSet ? { METRICS_PORT: metricsPort } : {};
  await start('test/fixtures/service.js', [], { ...at, STATUS_PAGE: 'off' });
  for (const one of [port, ...Object.values(at)]) expect((await request(one, '/status')).status).toBe(404);
});
