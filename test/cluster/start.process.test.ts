import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually';
import { disposeAll, freePort, Service } from '../support/service';

const FIXTURE = join(process.cwd(), 'test/fixtures/service.js');

jest.setTimeout(180_000);

let folder: string;
let other: Server | undefined;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'start-test-'))));
afterEach(async () => {
  other?.close();
  await disposeAll();
  rmSync(folder, { recursive: true, force: true });
});

/** The log of a service: objects, in order. */
const logOf = ({ stdout }: Service): { msg: string }[] =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { msg: string }); // pino's own format

function occupy(port: number): Promise<void> {
  return new Promise((resolve) => {
    other = createServer().listen(port, '127.0.0.1', resolve);
  });
}

/** Starts the fixture with a fault and gives the number of its forks when it has ended. */
async function failedBoot(env: Record<string, string>): Promise<{ service: Service; forks: number }> {
  const forks = join(folder, 'forks');
  const service = await Service.start({ program: FIXTURE, readyMs: 0, env: { FAULT_LOG: forks, ...env } });
  await service.waitForExit(20_000);
  return { service, forks: readFileSync(forks, 'utf8').trim().split('\n').length };
}

test('one line says that it is ready: where, with how many workers, as which process', async () => {
  const service = await Service.start({ env: { WEB_CONCURRENCY: '3' } });
  await eventually('the start line', 20_000, () => logOf(service).length > 0);
  expect(logOf(service).map(({ msg }) => msg)).toEqual([
    `Ready on http://127.0.0.1:${service.port} with 3 workers (primary pid ${service.pid}); the documentation of the API is on /docs`,
  ]);
  expect(service.workers()).toHaveLength(3);
  expect(await service.stop()).toEqual({ code: 0, signal: null });
  expect(service.stderr).toBe('');
});

test('every bad variable is named, and the exit code is 78', async () => {
  const service = await Service.start({
    readyMs: 0,
    env: { WEB_CONCURRENCY: 'many', METRICS_TOKEN: 'hush hush' },
  });
  expect(await service.waitForExit(20_000)).toEqual({ code: 78, signal: null });
  expect(service.stderr.trim().split('\n')).toEqual([
    'WEB_CONCURRENCY: expected a whole number from 1 to 512, got "many"',
    'METRICS_TOKEN: expected visible ASCII characters without spaces, got a value that is not shown',
  ]);
  expect(service.stdout).toBe('');
});

test.each([
  ['dist/main.js', []],
  ['dist/cli/main.js', ['start', join(process.cwd(), 'test/fixtures/conduit/app.js')]],
])('a SIGHUP while %s is loading does not end it', async (program, args) => {
  const preload = join(folder, 'hang-up.js');
  writeFileSync(
    preload,
    `const Module = require('node:module');
    const load = Module._load;
    Module._load = function (name, ...rest) {
      // The first that the program wants of Node, after its own first module.
      if (name.startsWith('node:') && !process.env.NODE_UNIQUE_ID) process.kill(process.pid, 'SIGHUP');
      return load.call(this, name, ...rest);
    };`,
  );
  const command = [process.execPath, '--require', preload];
  const service = await Service.start({ program, args, command, env: { CONDUIT_FOLDER: folder } });
  expect(await service.stop()).toEqual({ code: 0, signal: null });
});

test('a port in use costs two forks, one line and exit code 1', async () => {
  const port = await freePort();
  await occupy(port);
  const { service, forks } = await failedBoot({ PORT: String(port), WEB_CONCURRENCY: '4' });
  expect(forks).toBeLessThanOrEqual(2);
  expect(service.exit).toEqual({ code: 1, signal: null });
  expect(service.stdout + service.stderr).toBe(
    `Port ${port} is already in use (127.0.0.1): stop the other program or set PORT.\n`,
  );
});

test('a metrics port in use costs no fork, one line and exit code 1', async () => {
  const port = await freePort();
  await occupy(port);
  const service = await Service.start({ readyMs: 0, env: { METRICS_PORT: String(port) } });
  expect(await service.waitForExit(20_000)).toEqual({ code: 1, signal: null });
  expect(service.stdout + service.stderr).toBe(
    `Port ${port} is already in use (127.0.0.1): stop the other program or set METRICS_PORT.\n`,
  );
});

test.each([
  ['throw', 'a worker that does not boot'],
  ['exit', 'exit code 9'],
  ['never', 'not ready within 600 ms'],
])('a service whose workers cannot boot (%s) ends with code 1 after two forks', async (fault, message) => {
  const env = { FAULT_BOOT: fault, WORKER_TIMEOUT_MS: '600', WEB_CONCURRENCY: '4' };
  const { service, forks } = await failedBoot(env);
  expect(service.exit).toEqual({ code: 1, signal: null });
  expect(forks).toBeLessThanOrEqual(2);
  expect(service.stderr).toContain(message);
  expect(service.processes()).toEqual([]);
});

test('workers that die as soon as they are ready are forked at most 6 times in 10 s', async () => {
  const forks = join(folder, 'forks');
  const env = { FAULT_LOG: forks, FAULT_BOOT: 'after-ready' };
  const service = await Service.start({ program: FIXTURE, readyMs: 0, env });
  const times = (): number[] => readFileSync(forks, 'utf8').trim().split('\n').map(parseFloat);
  await eventually('the fifth fork', 30_000, () => times().length >= 5);
  // Two at the start, then one at a time after 0.5, 1 and 2 s at least. The next delays are twice as long each, so that
  // with 3.5 s for the first three, 4 more forks take 7.5 s and 5 more take 15.5 s.
  const [first = 0, , , , fifth = 0] = times();
  expect(fifth - first).toBeGreaterThanOrEqual(3_500);
  expect(service.exit).toBeUndefined();
});
