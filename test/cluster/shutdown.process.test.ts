import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually';
import { rawExchange, request } from '../support/exchange';
import { failed, Load } from '../support/load-client';
import { alive } from '../support/processes';
import { disposeAll, freePort, Service } from '../support/service';
import { total } from '../support/exposition';

const FIXTURE = join(process.cwd(), 'test/fixtures/service.js');

jest.setTimeout(180_000);
afterEach(disposeAll);

const slow = (port: number, ms: number) => request(port, `/slow?ms=${ms}`, { deadlineMs: 20_000 });

/** Waits until so many requests are in progress. */
const inProgress = (service: Service, count: number) =>
  eventually(`${count} requests in progress`, 10_000, async () => {
    return total(await service.scrape(), 'flask_app_requests_in_progress') === count;
  });

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s: readiness first, then nothing in flight or on its way fails, exit code 0 and no process left',
  async (signal) => {
    const port = await freePort();
    const env = { PORT: String(port), SHUTDOWN_DELAY_MS: '800', SHUTDOWN_TIMEOUT_MS: '15000' };
    const service = await Service.start({ program: FIXTURE, env });
    const answers = Array.from({ length: 10 }, () => slow(service.port, 1_500));
    const load = new Load({ port: service.port, rate: 100, connections: 10 });
    await inProgress(service, 10);
    service.signalGroup(signal);
    await eventually('readiness 503 while the port is open', 20_000, async () => {
      return (await service.get('/readyz')).status === 503;
    });
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses).toEqual(Array(10).fill(200));
    // The paced clients go on until nobody listens any more; all that was sent before is answered.
    await eventually('the port is closed', 10_000, () =>
      service.get('/livez').then(
        () => false,
        () => true,
      ),
    );
    const { failures, outcomes } = await load.stop();
    expect(await service.waitForExit(20_000)).toEqual({ code: 0, signal: null });
    expect(service.processes()).toEqual([]);
    // The kernel takes a connection before the primary closes the port, a moment after the last worker has, and resets it then. It
    // is one that no process has read from: all requests that were read have been answered, and counted as such.
    const lost = failures.filter(({ outcome }) => outcome !== 'refused');
    expect(
      lost.filter(({ outcome, answersBefore }) => outcome !== 'unanswered' || answersBefore > 0),
    ).toEqual([]);
    const next = await Service.start({ program: FIXTURE, env: { ...env, LEDGER_DIR: service.ledgerDir } });
    const counted = await next.scrape();
    const name = 'flask_app_request_count';
    expect(total(counted, name, { endpoint: '/' })).toBe(outcomes.answered);
    expect(total(counted, name, { endpoint: '/', http_status: '200' })).toBe(outcomes.answered);
  },
);

test('what a worker has taken is answered, though the service stops before it has heard that the worker is ready', async () => {
  const lateReady = join(process.cwd(), 'test/fixtures/late-ready.js');
  const env = { WEB_CONCURRENCY: '1', NODE_OPTIONS: `--require ${lateReady}`, SHUTDOWN_DELAY_MS: '0' };
  const service = await Service.start({ program: FIXTURE, env });
  const answer = slow(service.port, 1_000);
  service.signal('SIGTERM');
  expect((await answer).status).toBe(200);
  expect(await service.waitForExit(10_000)).toEqual({ code: 0, signal: null });
  expect(service.stdout).not.toContain('Ready on');
});

test('an exception that nobody catches while draining cuts off nothing', async () => {
  const env = { WEB_CONCURRENCY: '1', SHUTDOWN_DELAY_MS: '0', SHUTDOWN_TIMEOUT_MS: '15000' };
  const service = await Service.start({ program: FIXTURE, env });
  const answer = slow(service.port, 2_500);
  const crash = connect(service.port);
  crash.write('GET /crash HTTP/1.1\r\nHost: x\r\n');
  await inProgress(service, 1);
  service.signal('SIGTERM');
  await eventually('new connections are refused', 20_000, () =>
    service.get('/readyz').then(
      () => false,
      () => true,
    ),
  );
  crash.end('\r\n');
  expect((await answer).status).toBe(200);
  expect(await service.waitForExit(10_000)).toEqual({ code: 0, signal: null });
});

test('a metric that never comes does not hold up the end', async () => {
  const env = { SHUTDOWN_DELAY_MS: '0', SHUTDOWN_TIMEOUT_MS: '20000', FAULT_COLLECT_MS: '1000000' };
  const service = await Service.start({ program: FIXTURE, env });
  service.signal('SIGTERM');
  expect(await service.waitForExit(10_000)).toEqual({ code: 0, signal: null });
});

test('what does not finish in time is cut off at the deadline, and the exit code is 0', async () => {
  const env = { SHUTDOWN_DELAY_MS: '0', SHUTDOWN_TIMEOUT_MS: '1500' };
  const service = await Service.start({ program: FIXTURE, env });
  const cut = slow(service.port, 30_000).catch((error: Error) => error);
  await inProgress(service, 1);
  const started = performance.now();
  service.signal('SIGTERM');
  expect(await service.waitForExit(10_000)).toEqual({ code: 0, signal: null });
  expect(performance.now() - started).toBeGreaterThan(1_000);
  expect(await cut).toBeInstanceOf(Error);
});

test('the same signal twice at once is one; a second one later ends the service at once', async () => {
  const service = await Service.start({ program: FIXTURE });
  const cut = slow(service.port, 30_000).catch((error: Error) => error);
  await inProgress(service, 1);
  service.signal('SIGINT');
  service.signal('SIGINT');
  await eventually('it has noticed', 20_000, () => service.stdout.includes('Stopping'));
  // The time in which a second signal counts as the first: the one wait here that is not for a condition.
  await delay(300);
  expect(service.exit).toBeUndefined();
  service.signal('SIGTERM');
  expect(await service.waitForExit(2_000)).toEqual({ code: 143, signal: null });
  expect(await cut).toBeInstanceOf(Error);
  await eventually('no process left', 20_000, () => service.processes().length === 0);
});

test('while the service stops a reload is refused, by command and by signal', async () => {
  const service = await Service.start({ program: FIXTURE, env: { SHUTDOWN_TIMEOUT_MS: '15000' } });
  const answer = slow(service.port, 3_000);
  await inProgress(service, 1);
  service.signal('SIGTERM');
  await eventually('it stops', 10_000, () => service.stdout.includes('Stopping'));
  service.signal('SIGHUP');
  const args = [join(process.cwd(), 'dist/cli/main.js'), 'reload', '--port', String(service.port)];
  const { stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env: { LEDGER_DIR: service.ledgerDir },
  });
  expect(stderr).toBe('The service is stopping.\n');
  expect((await answer).status).toBe(200);
  expect(await service.waitForExit(20_000)).toEqual({ code: 0, signal: null });
  expect(service.stdout).not.toContain('Reloading');
});

test('when the primary is killed no worker stays: neither a busy one, nor a stopped one, nor an idle one', async () => {
  const service = await Service.start({ program: FIXTURE, env: { WEB_CONCURRENCY: '3' } });
  await eventually('all three are ready', 20_000, () => service.stdout.includes('Ready on'));
  const spinning = await spin(service);
  const stopped = service.workers().find((pid) => pid !== spinning)!;
  process.kill(stopped, 'SIGSTOP');
  const workers = service.workers();
  expect(workers).toHaveLength(3);
  service.signal('SIGKILL');
  await eventually('all workers are gone', 3_000, () => !workers.some(alive));
});

/** Makes a worker busy for ever; it gives its pid before. */
async function spin(service: Service): Promise<number> {
  const { text } = await rawExchange(service.port, 'GET /spin HTTP/1.1\r\nHost: x\r\n\r\n', {
    deadlineMs: 1_000,
  });
  return Number(/pid=(\d+)/.exec(text)?.[1]);
}

test('with a metrics port of its own, metrics are there until the end and count everything', async () => {
  const metricsPort = await freePort();
  const env = { METRICS_PORT: String(metricsPort), METRICS_TOKEN: 'open-sesame', SHUTDOWN_DELAY_MS: '0' };
  const service = await Service.start({ program: FIXTURE, env });
  const headers = { Authorization: 'Bearer open-sesame' };
  const scrape = () => request(metricsPort, '/metrics', { headers });
  expect((await service.get('/metrics')).status).toBe(404);
  expect((await request(metricsPort, '/metrics')).status).toBe(401);
  const answer = slow(service.port, 1_500);
  await eventually('the request has arrived', 20_000, async () => {
    return (await scrape()).body.toString().includes('flask_app_requests_in_progress 1');
  });
  service.signal('SIGTERM');
  const workers = await eventually('one worker drains, and the other has ended', 20_000, async () => {
    const found = (await scrape()).body.toString().match(/^flask_app_workers.*$/gm);
    return found?.includes('flask_app_workers{state="draining"} 1') && found;
  });
  // Nobody starts another one.
  expect(workers).toContain('flask_app_workers{state="starting"} 0');
  expect((await answer).status).toBe(200);
  expect(await service.waitForExit(10_000)).toEqual({ code: 0, signal: null });
});

test('an idle service stops in about a second', async () => {
  const service = await Service.start();
  const load = new Load({ port: service.port, rate: 20, connections: 4 });
  await eventually('some answers', 20_000, () => load.answered > 10);
  const report = await load.stop();
  expect(failed(report)).toBe(0);
  expect(await service.stop(10_000)).toEqual({ code: 0, signal: null });
});
