import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually';
import { disposeAll, freePort, Service } from '../support/service';

const FIXTURES = join(process.cwd(), 'test/fixtures');

jest.setTimeout(120_000);

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifecycle-'));
  file = join(folder, 'lifecycle');
});
afterEach(async () => {
  await disposeAll();
  rmSync(folder, { recursive: true });
});

/** The pids of processes that have noted it, in ascending order. */
function noted(event: 'starts' | 'started' | 'stopped'): number[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines
    .filter((line) => line.endsWith(` ${event}`))
    .map((line) => parseInt(line, 10))
    .toSorted((a, b) => a - b);
}

async function start(): Promise<{ service: Service; workers: readonly number[] }> {
  const env = { LIFECYCLE: file, SHUTDOWN_DELAY_MS: '0' };
  const service = await Service.start({ program: join(FIXTURES, 'lifecycle.js'), env });
  await service.allReady(2);
  return { service, workers: service.workers().toSorted((a, b) => a - b) };
}

test('start runs in each worker and not in the primary, and each is stopped on SIGTERM before the service ends', async () => {
  const { service, workers } = await start();
  expect(noted('started')).toEqual(workers);
  expect(noted('stopped')).toEqual([]);
  expect(await service.stop()).toEqual({ code: 0, signal: null });
  expect(noted('stopped')).toEqual(workers);
});

test('start of the first worker is over before it begins in another one', async () => {
  const env = { LIFECYCLE: file, SLOW_START: 'yes', WEB_CONCURRENCY: '2' };
  const service = await Service.start({ program: join(FIXTURES, 'lifecycle.js'), env });
  await service.allReady(2);
  const events = readFileSync(file, 'utf8').trim().split('\n');
  expect(events.map((line) => line.split(' ')[1])).toEqual(['starts', 'started', 'starts', 'started']);
});

test('a worker that loads its code more slowly than the first one starts is ready, too', async () => {
  const env = { LIFECYCLE: file, SLOW_LOAD: 'yes', WEB_CONCURRENCY: '2' };
  const service = await Service.start({ program: join(FIXTURES, 'lifecycle.js'), env });
  await service.allReady(2);
  expect(noted('started')).toHaveLength(2);
});

test('a start that fails is called once, and costs one line and exit code 1', async () => {
  const env = { LIFECYCLE: file, SLOW_START: 'fails', WEB_CONCURRENCY: '4' };
  const service = await Service.start({ program: join(FIXTURES, 'lifecycle.js'), env, readyMs: 0 });
  expect(await service.waitForExit(20_000)).toEqual({ code: 1, signal: null });
  expect(readFileSync(file, 'utf8')).toMatch(/^\d+ starts\n$/);
  expect(service.stdout + service.stderr).toBe('"start" of the service failed: no database\n');
  expect(service.processes()).toEqual([]);
});

test('a start that hangs is told as such', async () => {
  const env = { LIFECYCLE: file, SLOW_START: 'hangs', WEB_CONCURRENCY: '2', WORKER_TIMEOUT_MS: '8000' };
  const service = await Service.start({ program: join(FIXTURES, 'lifecycle.js'), env, readyMs: 0 });
  expect(await service.waitForExit(30_000)).toEqual({ code: 1, signal: null });
  expect(service.stdout + service.stderr).toBe(
    '"start" of the service failed: it took longer than 7000 ms\n',
  );
});

test('a worker exits by itself when the service stops while it starts', async () => {
  const env = { LIFECYCLE: file, SLOW_START: 'yes', WEB_CONCURRENCY: '1' };
  const service = await Service.start({ program: join(FIXTURES, 'lifecycle.js'), env, readyMs: 0 });
  await eventually('it starts', 20_000, () => noted('starts').length === 1);
  expect(await service.stop()).toEqual({ code: 0, signal: null });
  expect(service.stdout).toMatch(/"reason":"drained","code":0,"signal":null,"msg":"A worker ended"/);
  expect(noted('started')).toEqual([]);
});

test('a rolling reload stops the workers that it replaces, and no other', async () => {
  const { service, workers } = await start();
  service.signal('SIGHUP');
  await eventually('both old workers are gone', 30_000, () => {
    const now = service.workers();
    return now.length === 2 && !now.some((pid) => workers.includes(pid));
  });
  expect(noted('stopped')).toEqual(workers);
});

test('a worker that fails is stopped, once it has been replaced', async () => {
  const { service, workers } = await start();
  const headers = { 'Content-Type': 'application/json' };
  const { status } = await service.get('/echo', { method: 'POST', headers, body: '{"message":"fail"}' });
  expect(status).toBe(200);
  const gone = await eventually('one is gone', 30_000, () => {
    const now = service.workers();
    return now.length === 2 && workers.find((pid) => !now.includes(pid));
  });
  expect(noted('stopped')).toEqual([gone]);
});

test('on a serverless platform SIGTERM stops it', async () => {
  const child = spawn(process.execPath, [join(FIXTURES, 'lambda-instance.js')], {
    env: { PATH: process.env['PATH'], LIFECYCLE: file, AWS_LAMBDA_FUNCTION_NAME: 'greeter' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  try {
    const event = readFileSync(join(FIXTURES, 'events/function-url.json'), 'utf8');
    child.send({ ...(JSON.parse(event) as object), rawPath: '/' });
    expect(await once(child, 'message')).toMatchObject([{ statusCode: 200 }]);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(noted('stopped')).toEqual([child.pid]);
  } finally {
    child.kill('SIGKILL');
  }
});

test('a worker that a debugger holds is not killed as hung', async () => {
  const env = { WEB_CONCURRENCY: '1', WORKER_TIMEOUT_MS: '1000' };
  const program = join(FIXTURES, 'service.js');
  const debugged = await Service.start({
    program,
    env,
    command: [process.execPath, `--inspect=127.0.0.1:${await freePort()}`],
  });
  const other = await Service.start({ program, env });
  const [held] = debugged.workers();
  const [hung] = other.workers();
  // The held one is silent for longer than the other. Both have answered a header when they fall silent.
  for (const { port } of [debugged, other]) await fetch(`http://127.0.0.1:${port}/spin`);
  await eventually('the other one is replaced', 60_000, () => {
    const [now] = other.workers();
    return now !== undefined && now !== hung && other.stdout.includes('"hung"');
  });
  expect(debugged.workers()).toEqual([held]);
  expect(debugged.stdout).not.toContain('"hung"');
});
