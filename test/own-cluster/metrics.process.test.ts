import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { eventually } from '../support/eventually';
import { request } from '../support/exchange';
import { parseExposition, total } from '../support/exposition';
import { childrenOf } from '../support/processes';
import { freePort } from '../support/service';

jest.setTimeout(60_000);

const PROGRAM = resolve(__dirname, '../fixtures/own-cluster.js');

let child: ChildProcess;
let port: number;
let metricsPort: number;
afterEach(async () => {
  process.kill(-(child.pid ?? 0), 'SIGKILL');
  await once(child, 'exit');
});

async function start(workers: number): Promise<void> {
  [port, metricsPort] = [await freePort(), await freePort()];
  const ports = { PORT: String(port), METRICS_PORT: String(metricsPort), WORKERS: String(workers) };
  child = spawn(process.execPath, [PROGRAM], {
    stdio: 'inherit',
    detached: true,
    env: { ...process.env, HOST: '127.0.0.1', ...ports },
  });
  await eventually('the app is up', 20_000, async () => (await statusOf('/')) === 404);
}

async function statusOf(path: string): Promise<number> {
  return request(port, path).then(
    ({ status }) => status,
    () => 0,
  );
}

async function counted(at: number): Promise<{ users: number; greeted: number }> {
  const { status, body } = await request(at, '/metrics');
  if (status !== 200) throw new Error(`/metrics answered ${status}: ${body.toString()}`);
  const families = parseExposition(body.toString());
  const labels = { method: 'GET', endpoint: '/users/:id', http_status: '200' };
  return {
    users: total(families, 'own_request_count', labels),
    greeted: families.has('greeted_total') ? total(families, 'greeted_total') : 0,
  };
}

test('the primary and every worker tell of all workers, also of those that were killed', async () => {
  await start(2);
  let answered = 0;
  for (let round = 0; round < 4; round += 1) {
    await eventually('a worker serves', 20_000, async () => (await statusOf('/')) === 404);
    for (let n = 0; n < 50; n += 1) {
      const status = await statusOf(`/users/${n}`);
      if (status === 200) answered += 1;
    }
    expect((await counted(metricsPort)).users).toBe(answered);
    const workers = childrenOf(child.pid ?? 0);
    if (workers[0] !== undefined) process.kill(workers[0], 'SIGKILL');
    await eventually('a new worker', 20_000, () => {
      const now = childrenOf(child.pid ?? 0);
      return now.length === 2 && !now.includes(workers[0] ?? 0);
    });
  }
  await eventually('a worker serves', 20_000, async () => (await statusOf('/')) === 404);
  expect(answered).toBeGreaterThan(150);
  expect((await counted(metricsPort)).users).toBe(answered);
  expect((await counted(port)).users).toBe(answered);
});

test('an app without workers is its own', async () => {
  await start(0);
  for (let n = 0; n < 3; n += 1) expect(await statusOf('/users/1')).toBe(200);
  expect(await counted(port)).toEqual({ users: 3, greeted: 3 });
});
