import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually';
import { request } from '../support/exchange';
import { disposeAll, freePort, Service } from '../support/service';

const FIXTURE = join(process.cwd(), 'test/fixtures/service.js');

jest.setTimeout(120_000);

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'env-file-test-'));
  file = join(folder, '.env');
});
afterEach(async () => {
  await disposeAll();
  rmSync(folder, { recursive: true });
});

/** A service that gets these lines from its file, and no number of workers from elsewhere. */
function start(lines: string): Promise<Service> {
  writeFileSync(file, lines);
  return Service.start({ program: FIXTURE, env: { ENV_FILE: file, WEB_CONCURRENCY: '' } });
}

const withLongHeader = async (service: Service) => {
  const { status } = await service.get('/many', { headers: { 'X-Long': 'x'.repeat(3_000) } });
  return status;
};

test('a reload reads the file again: number of workers, limits and log level take effect, a port does not', async () => {
  const service = await start('WEB_CONCURRENCY=1\nMAX_HEADER_SIZE=2kb\nLOG_LEVEL=info\n');
  await service.allReady(1);
  expect(await withLongHeader(service)).toBe(431);
  writeFileSync(
    file,
    'WEB_CONCURRENCY=2\nMAX_HEADER_SIZE=8kb\nLOG_LEVEL=debug\nPORT=1\nMETRICS_PREFIX=other_\n',
  );
  const [old] = service.workers();
  service.signal('SIGHUP');
  await eventually(
    'two new workers',
    30_000,
    () => service.workers().length === 2 && !service.workers().includes(old ?? 0),
  );
  await service.allReady(2);
  expect(await withLongHeader(service)).toBe(200);
  expect(service.stdout).toContain('METRICS_PREFIX: left as before, this needs a restart');
  // The port is in the environment, too, which goes before the file.
  expect(service.stdout).not.toContain('PORT');
});

test('a reload switches the status page of METRICS_PORT, too', async () => {
  const metricsPort = await freePort();
  const lines = `WEB_CONCURRENCY=1\nMETRICS_PORT=${metricsPort}\n`;
  const service = await start(lines);
  const status = async () => (await request(metricsPort, '/status')).status;
  const elsewhere = async () => (await request(metricsPort, '/livez')).body.toString();
  expect(await status()).toBe(200);
  expect(await elsewhere()).toContain('There is nothing here but /metrics and /status.');
  writeFileSync(file, `${lines}STATUS_PAGE=off\n`);
  service.signal('SIGHUP');
  await eventually('there is no page', 30_000, async () => (await status()) === 404);
  expect(await elsewhere()).toContain('There is nothing here but /metrics.');
  expect((await request(metricsPort, '/metrics')).status).toBe(200);
});

test('a bad file leaves everything as it was', async () => {
  const service = await start('WEB_CONCURRENCY=1\n');
  await service.allReady(1);
  const workers = service.workers();
  writeFileSync(file, 'WEB_CONCURRENCY=none\nBODY_LIMIT=4kb\n');
  service.signal('SIGHUP');
  await eventually('it says so', 10_000, () => service.stdout.includes('Not reloaded, all is as before'));
  expect(service.stdout).toContain('WEB_CONCURRENCY: expected a whole number');
  expect(service.workers()).toEqual(workers);
  expect(service.stdout).not.toContain('Reloading');
});

test.each([1, 2])(
  '%s reloads whose workers do not start leave the settings as they were',
  async (reloads) => {
    const service = await start('WEB_CONCURRENCY=1\n');
    await service.allReady(1);
    writeFileSync(file, 'WEB_CONCURRENCY=2\nFAULT_BOOT=exit\n');
    for (let reload = 0; reload < reloads; reload += 1) {
      service.signal('SIGHUP');
      await eventually('it begins', 10_000, () => service.stdout.includes('Reloading'));
    }
    await eventually('it has stopped', 30_000, () => service.stdout.includes('Reload stopped'));
    const [worker = 0] = service.workers();
    process.kill(worker, 'SIGKILL');
    await eventually('a replacement, with the old settings', 30_000, async () => {
      const ready = (await service.get('/readyz').catch(() => undefined))?.status === 200;
      return ready && !service.workers().includes(worker);
    });
    expect(service.workers()).toHaveLength(1);
  },
);

test('fewer workers are what is left of more', async () => {
  const service = await start('WEB_CONCURRENCY=2\n');
  await service.allReady(2);
  writeFileSync(file, 'WEB_CONCURRENCY=1\n');
  const old = service.workers();
  service.signal('SIGHUP');
  const now = await eventually('one new worker', 30_000, () => {
    const [worker = 0, ...others] = service.workers();
    return others.length === 0 && !old.includes(worker) && worker;
  });
  expect(service.workers()).toEqual([now]);
});

test('a file that is not there is said at the start, in one line', async () => {
  const service = await Service.start({ program: FIXTURE, readyMs: 0, env: { ENV_FILE: '/nowhere/.env' } });
  expect(await service.waitForExit(20_000)).toEqual({ code: 78, signal: null });
  expect(service.stderr).toBe('ENV_FILE: expected a file that can be read, got "/nowhere/.env" (ENOENT)\n');
});
