import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually';
import { request } from '../support/exchange';
import { freePort } from '../support/service';

let ledgerDir: string;
let port: number;
let instance: Worker;
let log: string;

beforeEach(async () => {
  ledgerDir = mkdtempSync(join(tmpdir(), 'instance-'));
  port = await freePort();
  log = '';
  // A primary that is not ours, as PM2's is.
  cluster.setupPrimary({ exec: join(process.cwd(), 'test/fixtures/service.js'), execArgv: [], silent: true });
  instance = cluster.fork({
    HOST: '127.0.0.1',
    PORT: port,
    LEDGER_DIR: ledgerDir,
    SHUTDOWN_DELAY_MS: 0,
    SHUTDOWN_TIMEOUT_MS: 15_000,
  });
  instance.process.stdout?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  await eventually('it is ready', 20_000, () => log.includes('Ready'));
});

afterEach(async () => {
  if (!instance.isDead()) {
    instance.process.kill('SIGKILL');
    await once(instance, 'exit');
  }
  rmSync(ledgerDir, { recursive: true, force: true });
});

/** Sends a request that takes a while. Resolves when it is in progress, with its answer to come. */
async function slow(ms: number): Promise<{ readonly answer: Promise<number | Error> }> {
  const answer = request(port, `/slow?ms=${ms}`, { deadlineMs: 20_000 }).then(
    ({ status }) => status,
    (err: Error) => err,
  );
  await eventually('it is in progress', 10_000, async () => {
    return (await request(port, '/metrics')).body.toString().includes('flask_app_requests_in_progress 1');
  });
  return { answer };
}

test('the first signal, after an exception that nobody caught, cuts off nothing', async () => {
  const { answer } = await slow(1_500);
  await request(port, '/crash');
  await eventually('it is going to end', 10_000, () => log.includes('nobody caught'));
  const ended = once(instance, 'exit');
  instance.process.kill('SIGTERM');
  expect(await answer).toBe(200);
  expect(await ended).toEqual([1, null]);
});

test('a signal that comes twice at once is one; a second one later ends the instance at once', async () => {
  const { answer } = await slow(30_000);
  const ended = once(instance, 'exit');
  instance.process.kill('SIGINT');
  instance.process.kill('SIGTERM');
  await eventually('it has noticed', 10_000, () => log.includes('Stopping'));
  // The time in which a second signal counts as the first.
  await delay(300);
  expect(instance.isDead()).toBe(false);
  instance.process.kill('SIGTERM');
  expect(await ended).toEqual([1, null]);
  expect(await answer).toBeInstanceOf(Error);
});
