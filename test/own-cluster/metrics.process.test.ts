import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { eventually } from '../support/eventually';
import { request } from '../support/exchange';
import { parseExposition, total } from '../support/exposition';
import { childrenOf } from '../support/processes';
import { freePort } from '../support/service';

jest.setTimeout(60_000);

const PROGRAM = resolve(__dirname, '../fixtures/own-cluster.js');

/** Passes the folder from the primary to its workers. */
const VARIABLE = 'KOA_CLUSTER_METRICS_FOLDER=';

let child: ChildProcess;
let port: number;
let metricsPort: number;
afterEach(async () => {
  process.kill(-(child.pid ?? 0), 'SIGKILL');
  await once(child, 'exit');
});

async function start(workers: number, options: NodeJS.ProcessEnv = { PREFIX: 'own_' }): Promise<void> {
  [port, metricsPort] = [await freePort(), await freePort()];
  const ports = { PORT: String(port), METRICS_PORT: String(metricsPort), WORKERS: String(workers) };
  child = spawn(process.execPath, [PROGRAM], {
    stdio: 'inherit',
    detached: true,
    env: { ...process.env, HOST: '127.0.0.1', ...ports, ...options },
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

test('a worker tells of the primary, too, whoever is asked first', async () => {
  await start(2);
  const { body } = await request(port, '/metrics');
  expect(total(parseExposition(body.toString()), 'forks_total')).toBe(2);
});

test('an app without workers has its requests in the very next scrape', async () => {
  await start(0);
  for (let users = 1; users <= 3; users += 1) {
    await statusOf('/users/1');
    expect((await counted(metricsPort)).users).toBe(users);
  }
});

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

test.each([
  ['is made anew, with all counts', false],
  ['is there for a worker that is forked at once', true],
])('the folder of counts that somebody has removed %s', async (_, atOnce) => {
  await start(2);
  const pid = child.pid ?? 0;
  const folder = folderOf(childrenOf(pid)[0] ?? 0);
  await eventually('both count', 20_000, () => ledgersIn(folder) === 2);
  let answered = 0;
  const ask = async () => {
    for (let n = 0; n < 50; n += 1) if ((await statusOf(`/users/${n}`)) === 200) answered += 1;
  };
  const replaceWorkers = async () => {
    const before = childrenOf(pid);
    for (const worker of before) process.kill(worker, 'SIGKILL');
    await eventually('new workers', 20_000, () => {
      const now = childrenOf(pid);
      return now.length === 2 && !now.some((worker) => before.includes(worker));
    });
    await eventually('a worker serves', 20_000, async () => (await statusOf('/')) === 404);
  };
  await ask();
  rmSync(folder, { recursive: true });
  if (atOnce) await replaceWorkers();
  else await eventually('both have made their files anew', 20_000, () => ledgersIn(folder) === 2);
  expect(readdirSync(folder).filter((name) => name.startsWith('process-'))).toHaveLength(1);
  await ask();
  await replaceWorkers();
  expect(answered).toBeGreaterThan(90);
  expect((await counted(metricsPort)).users).toBe(answered);
});

function folderOf(worker: number): string {
  const variables = readFileSync(`/proc/${worker}/environ`, 'utf8').split('\0');
  return variables.find((variable) => variable.startsWith(VARIABLE))?.slice(VARIABLE.length) ?? '';
}

function ledgersIn(folder: string): number {
  return existsSync(folder) ? readdirSync(folder).filter((name) => /^\d+\.ledger$/.test(name)).length : 0;
}

test('the folder of an app that was killed is removed by its next start', async () => {
  await start(1);
  const folder = folderOf(childrenOf(child.pid ?? 0)[0] ?? 0);
  process.kill(-(child.pid ?? 0), 'SIGKILL');
  await once(child, 'exit');
  expect(existsSync(folder)).toBe(true);
  await start(1);
  expect(existsSync(folder)).toBe(false);
});

test('an app without workers is its own', async () => {
  await start(0);
  for (let n = 0; n < 3; n += 1) expect(await statusOf('/users/1')).toBe(200);
  expect(await counted(port)).toEqual({ users: 3, greeted: 3 });
});

test('a second app that is not measured can have the scrape', async () => {
  await start(0);
  expect(await statusOf('/users/1')).toBe(200);
  expect((await counted(metricsPort)).users).toBe(1);
});

test('the token is wanted in a route of a worker as at the listener of the primary', async () => {
  const TOKEN = 'a-token-that-nobody-guesses';
  await start(1, { TOKEN });
  for (const at of [port, metricsPort]) {
    const ask = (headers: Record<string, string>) => request(at, '/metrics', { headers });
    for (const headers of [{}, { Authorization: 'Bearer ' }, { Authorization: `Bearer ${TOKEN}x` }]) {
      const refused = await ask(headers);
      expect([at, headers, refused.status]).toEqual([at, headers, 401]);
      expect(refused.headers.get('www-authenticate')).toBe('Bearer realm="metrics"');
      expect(refused.body.toString()).toContain('A scrape needs the bearer token');
      expect(refused.body.toString()).not.toContain('# TYPE');
    }
    expect((await ask({ Authorization: `Bearer ${TOKEN}` })).body.toString()).toContain('# TYPE');
  }
});

test('an option that is undefined has its default', async () => {
  await start(0, {});
  await statusOf('/users/1');
  const { status, body } = await request(port, '/metrics');
  expect(status).toBe(200);
  expect(total(parseExposition(body.toString()), 'flask_app_request_count')).toBeGreaterThan(0);
});
