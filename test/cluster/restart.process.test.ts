import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { codeOf } from '../../src/thrown';
import { asText, laterStarts, scrapeProtobuf, startsIn } from '../support/metric-families';
import { memoryBase } from '../support/memory-base';
import { eventually } from '../support/eventually';
import { CountingClient } from '../support/counting-client';
import { request } from '../support/exchange';
import { fallen, type Family, parseExposition, total } from '../support/exposition';
import { disposeAll, freePort, Service } from '../support/service';

// Real files and processes: on a busy machine they take their time.
jest.setTimeout(300_000);

const HELLO = { endpoint: '/hello/{name}' };

let ledgerDir: string;
let env: Record<string, string>;

beforeEach(async () => {
  ledgerDir = mkdtempSync(join(memoryBase, 'restart-test-'));
  env = { LEDGER_DIR: ledgerDir, PORT: String(await freePort()), SHUTDOWN_DELAY_MS: '0', ACCESS_LOG: 'off' };
});
afterEach(async () => {
  await disposeAll();
  rmSync(ledgerDir, { recursive: true, force: true });
});

/** A service that is ready: by its own word, as a worker of the one before may still answer on its port. */
async function start(more: Record<string, string> = {}): Promise<Service> {
  const service = await Service.start({ env: { ...env, ...more } });
  await eventually('the service is ready', 30_000, () => service.stdout.includes('Ready on'));
  return service;
}

const ends = {
  /** Stops the service as a deploy does. */
  stop: (service: Service) => service.stop(),
  /** Out of memory. */
  'kill the primary': (service: Service) => {
    service.signal('SIGKILL');
    return eventually('the end of the workers', 10_000, () => service.processes().length === 0);
  },
  'kill all': (service: Service) => {
    service.kill();
    return eventually('the end', 10_000, () => service.processes().length === 0);
  },
  'kill the primary, and start before its workers have ended': (service: Service) => {
    service.signal('SIGKILL');
    return Promise.resolve();
  },
};

test('twenty restarts, whatever ends the service: no counter falls, and all that was answered is counted', async () => {
  const client = new CountingClient(Number(env['PORT']), '/hello/you');
  let before: ReadonlyMap<string, Family> = new Map();
  let starts: ReadonlyMap<string, number> = new Map();
  for (let round = 0; round < 20; round += 1) {
    const service = await start();
    const asked = client.answered;
    await eventually('requests', 10_000, () => client.answered > asked + 20 + 50 * Math.random());
    const now = await service.scrape();
    expect(service.stdout).not.toContain('counts begin at 0');
    expect(fallen(before, now)).toEqual([]);
    before = now;
    const families = await scrapeProtobuf(service.port);
    expect(fallen(now, asText(families))).toEqual([]);
    expect(
      laterStarts(starts, startsIn(families), /^flask_app_request_.*(?:hello.*"200"|latency.*hello)/),
    ).toEqual([]);
    starts = startsIn(families);
    const all = Object.values(ends);
    await all[round % all.length]?.(service);
  }
  await client.stop();
  const service = await start();
  const now = await service.scrape();
  expect(fallen(before, now)).toEqual([]);
  const counted = total(now, 'flask_app_request_count', { ...HELLO, http_status: '200' });
  expect(counted).toBeGreaterThanOrEqual(client.answered);
  expect(counted).toBeLessThanOrEqual(client.answered + client.lost);
  expect(total(now, 'flask_app_request_latency_seconds_count', HELLO)).toBe(
    total(now, 'flask_app_request_count', HELLO),
  );
  // Neither do they leave more and more behind.
  const [folder = '', ...others] = readdirSync(ledgerDir);
  expect(others).toEqual([]);
  const files = readdirSync(join(ledgerDir, folder)).map((name) => name.replace(/^\d+\./, ''));
  expect(new Set(files)).toEqual(
    new Set([
      ...files.filter((name) => /^(archive|owner)-\d+$/.test(name)),
      'control.sock',
      'details',
      'json',
      'ledger',
      'requests',
      'sock',
    ]),
  );
  expect(files.length).toBeLessThanOrEqual(2 + 1 + 1 + 4 * 2);
});

test('an exit that no scrape has shown is counted when the primary is killed after it', async () => {
  const first = await start();
  await first.allReady(2);
  const [killed = 0] = first.workers();
  process.kill(killed, 'SIGKILL');
  const status = [join(process.cwd(), 'dist/cli/main.js'), 'status', '--json'];
  await eventually('its replacement is ready', 20_000, () => {
    const { stdout } = spawnSync(process.execPath, status, {
      env: { ...process.env, ...env },
      encoding: 'utf8',
    });
    const workers = JSON.parse(stdout || '[]') as { pid: number; state: string }[]; // as the interface has it
    return workers.every(({ pid, state }) => pid !== killed && state === 'ready') && workers.length === 2;
  });
  await ends['kill the primary'](first);
  const second = await start();
  // The two others ended with the primary.
  expect(total(await second.scrape(), 'flask_app_worker_exits_total', { reason: 'killed' })).toBe(3);
});

test('begins anew where that is wanted, and for a port that the system chose', async () => {
  for (const more of [{ METRICS_KEEP: 'off' }, { METRICS_KEEP: 'off' }]) {
    const service = await start(more);
    for (let i = 0; i < 3; i += 1) await service.get('/hello/you');
    expect(total(await service.scrape(), 'flask_app_request_count', HELLO)).toBe(3);
    await service.stop();
    expect(readdirSync(ledgerDir)).toEqual([]);
  }
});

test('a second start on the same port leaves the first one and its counts as they were', async () => {
  const first = await start();
  for (let i = 0; i < 5; i += 1) await first.get('/hello/you');
  const before = await first.scrape();
  const second = await Service.start({ env, readyMs: 0 });
  expect(await second.waitForExit(20_000)).toEqual({ code: 1, signal: null });
  expect(second.stdout).toBe('');
  expect(second.stderr.trim().split('\n')).toHaveLength(1);
  expect(readdirSync(ledgerDir)).toHaveLength(1);
  const after = await first.scrape();
  expect(fallen(before, after)).toEqual([]);
  expect(total(after, 'flask_app_request_count', HELLO)).toBe(5);
  expect(total(after, 'flask_app_worker_exits_total')).toBe(0);
  await first.stop();
  const third = await start();
  expect(total(await third.scrape(), 'flask_app_request_count', HELLO)).toBe(5);
});

test('a service that cannot have its port leaves the counts for the one that can', async () => {
  const first = await start();
  await first.get('/hello/you');
  await first.scrape();
  await ends['kill all'](first);
  // The system may take a moment longer to free the port.
  const other = await eventually('the port is free', 10_000, async () => {
    const server = createServer().listen(Number(env['PORT']), '127.0.0.1');
    await once(server, 'listening');
    return server;
  });
  const second = await Service.start({ env, readyMs: 0 });
  expect((await second.waitForExit(20_000)).code).toBe(1);
  await new Promise((resolve) => other.close(resolve));
  const third = await start();
  const now = await third.scrape();
  expect(total(now, 'flask_app_request_count', HELLO)).toBe(1);
  expect(total(now, 'flask_app_worker_exits_total', { reason: 'boot_failed' })).toBe(0);
});

test('two services are told apart by their ports, and one is known by its name on another port', async () => {
  const first = await start({ SERVICE_NAME: 'shop' });
  await first.get('/hello/you');
  const other = await start({ PORT: String(await freePort()) });
  expect(total(await other.scrape(), 'flask_app_request_count', HELLO)).toBe(0);
  await first.stop();
  const again = await start({ SERVICE_NAME: 'shop', PORT: String(await freePort()) });
  expect(total(await again.scrape(), 'flask_app_request_count', HELLO)).toBe(1);
});

test('with other buckets the histogram begins anew, which its start tells, the counter does not, and one line says so', async () => {
  const counter = 'flask_app_request_count{endpoint="/hello/{name}",http_status="200",method="GET"}';
  const histogram = 'flask_app_request_latency_seconds{endpoint="/hello/{name}",method="GET"}';
  const startsOf = async () => {
    const starts = startsIn(await scrapeProtobuf(Number(env['PORT'])));
    return { counter: starts.get(counter), histogram: starts.get(histogram) };
  };
  const first = await start();
  for (let i = 0; i < 4; i += 1) await first.get('/hello/you');
  const atFirst = await startsOf();
  await ends['kill all'](first);
  const between = Date.now();
  const second = await start({ METRICS_BUCKETS: '0.5,1' });
  await second.get('/hello/you');
  const now = await second.scrape();
  expect(total(now, 'flask_app_request_count', HELLO)).toBe(5);
  expect(total(now, 'flask_app_request_latency_seconds_count', HELLO)).toBe(1);
  const afterwards = await startsOf();
  expect(afterwards.counter).toBe(atFirst.counter);
  expect(afterwards.histogram).toBeGreaterThanOrEqual(between);
  await second.stop();
  const third = await start({ METRICS_BUCKETS: '0.5,1' });
  expect(total(await third.scrape(), 'flask_app_request_count', HELLO)).toBe(5);
  expect(await startsOf()).toEqual(afterwards);
  expect(second.stdout.split('\n').filter((line) => line.includes('METRICS_BUCKETS'))).toHaveLength(1);
  expect(third.stdout).not.toContain('METRICS_BUCKETS');
});

test('what another process has spoilt is left out, which is said, and the service starts', async () => {
  const first = await start();
  await first.get('/hello/you');
  await first.stop();
  const [folder = ''] = readdirSync(ledgerDir).map((name) => join(ledgerDir, name));
  const archive = readdirSync(folder).find((name) => name.startsWith('archive')) ?? '';
  writeFileSync(join(folder, archive), readFileSync(join(folder, archive)).subarray(0, 50));
  for (const name of ['7.ledger', '7.json', '8.details', '9.sock'])
    writeFileSync(join(folder, name), 'rubbish');
  const second = await start();
  expect(total(await second.scrape(), 'flask_app_request_count', HELLO)).toBe(0);
  expect(second.stdout).toContain('damaged');
});

/** Removes the folders of counts. */
function removeFolders(): void {
  for (const name of readdirSync(ledgerDir)) removeFolder(join(ledgerDir, name));
}

/**
 * Removes a folder. A file that the service makes at the same moment makes it take more than one attempt;
 * `maxRetries` does not remove that file.
 */
function removeFolder(path: string, attempts = 100): void {
  try {
    rmSync(path, { recursive: true });
  } catch (error) {
    if (attempts === 1 || codeOf(error) !== 'ENOTEMPTY') throw error;
    removeFolder(path, attempts - 1);
  }
}

test('the folder that is removed while the service runs is made anew, with what is known', async () => {
  const first = await start();
  await first.allReady(2);
  for (let i = 0; i < 10; i += 1) await first.get('/hello/you');
  removeFolders();
  for (let i = 0; i < 10; i += 1) await first.get('/hello/you');
  await eventually('the ledgers', 10_000, () => {
    const files = readdirSync(ledgerDir, { recursive: true }).map(String);
    return files.filter((name) => name.endsWith('.ledger')).length === 2;
  });
  expect(first.stdout.match(/"level":"warn"/g)).toHaveLength(1);
  await ends['kill all'](first);
  const second = await start();
  expect(total(await second.scrape(), 'flask_app_request_count', HELLO)).toBe(20);
});

test('a removed folder that another service of that name has made anew is left to it', async () => {
  const first = await start({ SERVICE_NAME: 'shop', METRICS_KEEP: 'off' });
  first.signal('SIGSTOP');
  removeFolders();
  const other = await start({ SERVICE_NAME: 'shop', PORT: String(await freePort()), WEB_CONCURRENCY: '1' });
  for (let i = 0; i < 2; i += 1) await other.get('/hello/you');
  process.kill(other.workers()[0] ?? 0, 'SIGKILL');
  await eventually('the end of its worker', 20_000, () => other.stdout.includes('"reason":"killed"'));
  first.signal('SIGCONT');
  await eventually('it says so', 20_000, () => first.stdout.includes('another running service has made it'));
  process.kill(first.workers()[0] ?? 0, 'SIGKILL');
  await eventually('the end of a worker', 20_000, () => first.stdout.includes('"reason":"killed"'));
  await first.allReady(2);
  await first.stop();
  expect(first.stdout.match(/folder of counts/g)).toHaveLength(1);
  await ends['kill all'](other);
  const again = await start({ SERVICE_NAME: 'shop' });
  expect(total(await again.scrape(), 'flask_app_request_count', HELLO)).toBe(2);
});

test('a worker that is forked before anybody has noticed that the folder is gone keeps its counts, too', async () => {
  const service = await start({ WEB_CONCURRENCY: '1' });
  for (let round = 1; round <= 4; round += 1) {
    removeFolders();
    process.kill(service.workers()[0] ?? 0, 'SIGKILL');
    await eventually('an answer of the next worker', 20_000, async () => {
      return (await service.get('/hello/you').catch(() => undefined))?.status === 200;
    });
    process.kill(service.workers()[0] ?? 0, 'SIGKILL');
    const counted = await eventually('a scrape', 20_000, async () => {
      return total(await service.scrape(), 'flask_app_request_count', HELLO);
    });
    expect(counted).toBe(round);
  }
});

test('a scrape on the port of the metrics does not show less while the service starts', async () => {
  const metrics = await freePort();
  const first = await start({ METRICS_PORT: String(metrics) });
  for (let i = 0; i < 4; i += 1) await first.get('/hello/you');
  await first.stop();
  const second = await Service.start({ env: { ...env, METRICS_PORT: String(metrics) }, readyMs: 0 });
  const text = await eventually('the first scrape', 10_000, async () => {
    const { status, body } = await request(metrics, '/metrics').catch(() => ({ status: 0, body: '' }));
    return status === 200 && body.toString();
  });
  expect(total(parseExposition(text), 'flask_app_request_count', HELLO)).toBe(4);
  expect(second.exit).toBeUndefined();
});
