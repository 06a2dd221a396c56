import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { WorkerStatus } from '../../src/metrics/worker-status';
import { eventually } from '../support/eventually';
import { request } from '../support/exchange';
import { fallen, type Family, total } from '../support/exposition';
import { failed, Load } from '../support/load-client';
import { freePort } from '../support/service';
import { Pm2 } from './pm2';

jest.setTimeout(120_000);

const HELLO = { endpoint: '/hello/{name}' };
const INSTANCES = 2;

let pm2: Pm2 | undefined;

afterEach(async () => {
  await pm2?.dispose();
  pm2 = undefined;
});

async function start(config: string, env: Record<string, string> = {}): Promise<Pm2> {
  pm2 = await Pm2.start(config, { WEB_CONCURRENCY: String(INSTANCES), ...env });
  return pm2;
}

/** The same, but for these fields of the ecosystem file. */
async function startWith(config: string, fields: object, env: Record<string, string> = {}): Promise<Pm2> {
  const folder = mkdtempSync(join(tmpdir(), 'pm2-config-'));
  const changed = join(folder, 'changed.config.js');
  writeFileSync(
    changed,
    `const { apps: [app] } = require(${JSON.stringify(join(process.cwd(), config))});
    module.exports = { apps: [{ ...app, ...${JSON.stringify(fields)} }] };`,
  );
  const app = await start(changed, env);
  rmSync(folder, { recursive: true });
  return app;
}

/** Two kinds of clients, and a scraper. What it gives is what went wrong, and what there was to count. */
function burden(on: Pm2) {
  const loads = [
    new Load({ port: on.port, rate: 200, connections: 20, path: '/hello/you' }),
    new Load({ port: on.port, rate: 50, connections: 'each', path: '/hello/you' }),
  ];
  const faults: string[] = [];
  let before: ReadonlyMap<string, Family> = new Map();
  let scrapes = 0;
  const stop = new AbortController();
  const scraping = (async () => {
    while (!stop.signal.aborted) {
      const started = performance.now();
      try {
        const now = await on.scrape({ deadlineMs: 10_000 });
        faults.push(...fallen(before, now));
        before = now;
        scrapes += 1;
      } catch (err) {
        faults.push(`${String(err)} after ${Math.round(performance.now() - started)} ms`);
      }
      await delay(100);
    }
  })();
  return async () => {
    const reports = await Promise.all(loads.map((load) => load.stop()));
    stop.abort();
    await scraping;
    return {
      answered: reports.reduce((sum, { outcomes }) => sum + outcomes.answered, 0),
      failed: reports.reduce((sum, report) => sum + failed(report), 0),
      failures: reports.flatMap(({ failures }) => failures),
      statuses: [...new Set(reports.flatMap(({ statuses }) => [...statuses.keys()]))],
      faults,
      scrapes,
    };
  };
}

test.each(['ecosystem.config.js', 'ecosystem.cluster.config.js'])(
  'a stop lets a request finish that is in flight (%s)',
  async (config) => {
    // PM2 stops several instances one after the other.
    const app = await start(config, { WEB_CONCURRENCY: '1' });
    const body = JSON.stringify({ message: 'half now, half later' });
    const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
    const sent = http.request({ port: app.port, host: '127.0.0.1', path: '/echo', method: 'POST', headers });
    const answered = once(sent, 'response');
    sent.write(body.slice(0, 10));
    await eventually('the request has arrived', 10_000, async () => {
      return total(await app.scrape(), 'flask_app_requests_in_progress') === 1;
    });
    const stopped = app.run('stop', 'koa-cluster-metrics');
    await eventually('it stops', 10_000, () => app.logs().includes('Stopping'));
    // The listener is closed by then: nothing but what is in flight is waited for.
    await eventually('it is closed', 10_000, () =>
      request(app.port, '/readyz').then(
        () => false,
        () => true,
      ),
    );
    sent.end(body.slice(10));
    const [response] = (await answered) as [http.IncomingMessage];
    expect([response.statusCode, await text(response)]).toEqual([200, body]);
    await stopped;
  },
);

test.each(['ecosystem.config.js', 'ecosystem.cluster.config.js'])(
  'an app without a description is served, and counts the same after a reload (%s)',
  async (config) => {
    const conduit = mkdtempSync(join(tmpdir(), 'pm2-conduit-'));
    const program = { script: 'dist/cli/main.js', args: ['start', 'test/fixtures/conduit/app.js'] };
    const app = await startWith(config, program, { CONDUIT_FOLDER: conduit });
    for (let i = 0; i < 20; i++) expect((await request(app.port, '/api/tags')).status).toBe(200);
    if (config.includes('cluster')) await app.run('reload', 'koa-cluster-metrics');
    else await app.npmRun('reload');
    const exited = { reason: 'drained' };
    await eventually('the instances have been replaced', 30_000, async () => {
      return total(await app.scrape(), 'flask_app_worker_exits_total', exited) === INSTANCES;
    });
    for (let i = 0; i < 20; i++) expect((await request(app.port, '/api/tags')).status).toBe(200);
    const tags = { method: 'GET', endpoint: '/api/tags', http_status: '200' };
    expect(total(await app.scrape(), 'flask_app_request_count', tags)).toBe(40);
    rmSync(conduit, { recursive: true });
  },
);

describe('PM2 in cluster mode', () => {
  test('ten reloads under load fail no request, and the counts are those of all instances, past and present', async () => {
    const app = await start('ecosystem.cluster.config.js');
    const relieve = burden(app);
    for (let i = 0; i < 10; i++) await app.run('reload', 'koa-cluster-metrics');
    const { answered, scrapes, ...result } = await relieve();
    expect(result).toEqual({ failed: 0, failures: [], statuses: [200], faults: [] });

    const families = await app.scrape();
    expect(total(families, 'flask_app_request_count', HELLO)).toBe(answered);
    expect(total(families, 'flask_app_request_latency_seconds_count', HELLO)).toBe(answered);
    expect(total(families, 'flask_app_worker_exits_total', { reason: 'drained' })).toBe(10 * INSTANCES);
    expect(total(families, 'flask_app_worker_exits_total')).toBe(10 * INSTANCES);
    expect(total(families, 'flask_app_workers', { state: 'ready' })).toBe(INSTANCES);
    expect(scrapes).toBeGreaterThan(10);
    // The counts of ended instances are in one file.
    const [folder = ''] = readdirSync(app.ledgerDir);
    const files = readdirSync(join(app.ledgerDir, folder));
    expect(files.filter((name) => name.endsWith('.ledger'))).toHaveLength(INSTANCES);
    expect(files.filter((name) => name.startsWith('archive'))).toHaveLength(1);
  }, 600_000);

  test('lines that PM2 cannot write to its log are counted', async () => {
    const app = await startWith('ecosystem.cluster.config.js', { out_file: '/dev/full' });
    // Each instance has said at least that it is ready.
    await eventually('both have told of it', 10_000, async () => {
      return total(await app.scrape(), 'flask_app_log_lines_lost_total') >= INSTANCES;
    });
  });

  test('`status` shows the instances, also one that hangs, and the other commands say who can do it', async () => {
    const app = await start('ecosystem.cluster.config.js');
    const pids = (await app.processes()).map(({ pid }) => pid);
    const daemon = Number(readFileSync(join(app.home, 'pm2.pid'), 'utf8'));
    await eventually('both are ready', 20_000, async () =>
      (await app.command('status')).includes('2 of 2 ready'),
    );
    const lines = (await app.command('status', '--port', String(app.port))).split('\n');
    expect(lines[0]).toBe(`port ${app.port}, PM2's cluster mode`);
    expect(lines[1]).toMatch(new RegExp(`^pid ${daemon}, up \\d+s, 2 of 2 ready$`));
    const look = async () => JSON.parse(await app.command('status', '--json')) as WorkerStatus[]; // what it prints
    const shown = await look();
    expect(shown.map(({ worker }) => worker)).toEqual([1, 2]);
    expect(new Set(shown.map(({ pid }) => pid))).toEqual(new Set(pids));
    for (const { state, rssBytes = 0, cpu = -1 } of shown) {
      expect([state, rssBytes > 1e7, cpu >= 0 && cpu < 4]).toEqual(['ready', true, true]);
    }
    expect(shown.map(({ restarts }) => restarts)).toEqual([0, 0]);
    const client = new Load({ port: app.port, rate: 100, connections: 20, path: '/hello/you' });
    const busy = await eventually('it shows the traffic', 20_000, async () =>
      (await look()).find(({ requestsPerSecond = 0 }) => requestsPerSecond > 10),
    ).finally(() => void client.stop());
    expect(busy.requestsPerSecond).toBeLessThan(200);
    expect(busy.p99Seconds).toBeGreaterThan(0);
    const [stopped = 0] = pids;
    process.kill(stopped, 'SIGSTOP');
    const silent = await eventually('it is silent', 20_000, async () => {
      return (await look()).find(({ pid, silentSeconds }) => pid === stopped && silentSeconds > 3);
    });
    process.kill(stopped, 'SIGKILL');
    expect(silent.state).toBe('ready');
    await eventually('another one has its place', 20_000, async () => {
      const now = await look();
      return now.length === INSTANCES && now.some(({ pid, restarts }) => pid !== stopped && restarts === 1);
    });
    for (const words of [['reload'], ['log-level', 'debug'], ['profile', '1'], ['heap', '1']])
      await expect(app.command(...words)).rejects.toThrow(/PM2's cluster mode.*`pm2 reload`/);
    await expect(app.command('status', '--port', '1')).rejects.toThrow(
      `there is ${app.port} (pid ${daemon})`,
    );
  });

  test('what an instance has counted outlives its SIGKILL, on the port of the metrics too', async () => {
    const metricsPort = await freePort();
    const app = await start('ecosystem.cluster.config.js', { METRICS_PORT: String(metricsPort) });
    for (let i = 0; i < 30; i++) await request(app.port, '/hello/you');
    expect((await request(app.port, '/metrics')).status).toBe(404);
    const before = await app.scrape({}, metricsPort);
    expect(total(before, 'flask_app_request_count', HELLO)).toBe(30);

    // A SIGHUP, the reload of fork mode, ends nobody: the exits below are those of the SIGKILLs.
    for (const { pid } of await app.processes()) process.kill(pid, 'SIGHUP');
    expect(fallen(before, await app.scrape({}, metricsPort))).toEqual([]);

    for (const { pid } of (await app.processes()).slice(1)) process.kill(pid, 'SIGKILL');
    const after = await eventually('PM2 has restarted the instances', 30_000, async () => {
      const families = await app.scrape({}, metricsPort);
      expect(fallen(before, families)).toEqual([]);
      expect(total(families, 'flask_app_request_count', HELLO)).toBe(30);
      return total(families, 'flask_app_workers', { state: 'ready' }) === INSTANCES && families;
    });
    expect(total(after, 'flask_app_worker_exits_total', { reason: 'killed' })).toBe(INSTANCES - 1);
  });

  test('a reload stops what each old instance has started, a stop that of the new ones', async () => {
    const file = join(tmpdir(), `lifecycle-${process.pid}`);
    const noted = (event: string) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line.endsWith(` ${event}`))
        .map((line) => parseInt(line, 10))
        .toSorted((a, b) => a - b);
    try {
      const app = await start('ecosystem.cluster.config.js', { LIFECYCLE: file });
      const old = noted('started');
      expect(old).toHaveLength(INSTANCES);
      await app.run('reload', 'koa-cluster-metrics');
      await eventually('the old ones are stopped', 30_000, () => noted('stopped').length === INSTANCES);
      expect(noted('stopped')).toEqual(old);
      await app.run('stop', 'koa-cluster-metrics');
      await eventually('all are stopped', 30_000, () => noted('stopped').length === 2 * INSTANCES);
      expect(noted('stopped')).toEqual(noted('started'));
    } finally {
      rmSync(file, { force: true });
    }
  });

  test('an instance that PM2 has given up is missing; one that somebody stops or adds changes what is wanted', async () => {
    const app = await startWith('ecosystem.cluster.config.js', { max_restarts: 0 });
    const eventuallyCounts = (what: string, starting: number, ready: number) =>
      eventually(what, 30_000, async () => {
        const families = await app.scrape();
        const count = (state: string) => total(families, 'flask_app_workers', { state });
        return count('starting') === starting && count('ready') === ready;
      });
    await eventuallyCounts('both run', 0, 2);
    const [victim] = await app.processes();
    process.kill(victim?.pid ?? 0, 'SIGKILL');
    await eventuallyCounts('one is missing', 1, 1);
    await app.run('delete', String(victim?.pm_id));
    await eventuallyCounts('it is wanted no more', 0, 1);
    await app.run('scale', 'koa-cluster-metrics', '3');
    await eventuallyCounts('two more are wanted', 0, 3);
    const [stopped] = await app.processes();
    await app.run('stop', String(stopped?.pm_id));
    await eventuallyCounts('nobody misses the one that was stopped', 0, 2);
  });

  test('all instances count the same endpoints of an app without a description by name, after a reload too', async () => {
    const program = join(mkdtempSync(join(tmpdir(), 'pm2-app-')), 'app.js');
    const main = JSON.stringify(join(process.cwd(), 'dist/main.js'));
    writeFileSync(
      program,
      `require(${main}).serve((req, res) => res.end(String(process.pid)), { endpoint: (req) => req.url });`,
    );
    const app = await startWith(
      'ecosystem.cluster.config.js',
      { script: program },
      { METRICS_MAX_ENDPOINTS: '3' },
    );
    const answerers = new Set<string>();
    let sent = 0;
    const sendFromAll = () =>
      eventually('each instance has had requests', 30_000, async () => {
        for (let i = 0; i < 10; i++) answerers.add((await request(app.port, `/${sent++}`)).body.toString());
        return answerers.size >= INSTANCES;
      });
    await sendFromAll();
    await app.run('reload', 'koa-cluster-metrics');
    answerers.clear();
    await sendFromAll();
    const counts = (await app.scrape()).get('flask_app_request_count')?.samples ?? [];
    const named = counts.filter(({ labels }) => /^\/\d/.test(labels['endpoint'] ?? ''));
    expect(named.map(({ labels, value }) => `${labels['endpoint']} ${value}`).toSorted()).toEqual([
      '/0 1',
      '/1 1',
      '/2 1',
    ]);
    expect(total(await app.scrape(), 'flask_app_request_count', { endpoint: 'overflow' })).toBe(sent - 3);
    rmSync(dirname(program), { recursive: true });
  });

  test('an instance that hangs holds nobody up, and its counts are there', async () => {
    const app = await start('ecosystem.cluster.config.js');
    for (let i = 0; i < 30; i++) await request(app.port, '/hello/you');
    const before = await app.scrape();
    const [victim] = await app.processes();
    process.kill(victim?.pid ?? 0, 'SIGSTOP');
    try {
      // PM2 hands connections to the stopped one as well; it is the answers of the others that are looked at.
      const { families, took } = await eventually('another instance answers', 20_000, async () => {
        const started = performance.now();
        const scraped = await app.scrape({ deadlineMs: 2_000 });
        return { families: scraped, took: performance.now() - started };
      });
      expect(took).toBeLessThan(1_000);
      expect(fallen(before, families)).toEqual([]);
      expect(total(families, 'flask_app_request_count', HELLO)).toBe(30);
      expect(total(families, 'flask_app_scrape_workers_missing')).toBe(1);
      expect(total(families, 'flask_app_workers', { state: 'ready' })).toBe(INSTANCES - 1);
    } finally {
      process.kill(victim?.pid ?? 0, 'SIGCONT');
    }
  });

  test.each([
    [1, 'go on', {}],
    [0, 'begin anew', { METRICS_KEEP: 'off' }],
  ])(
    'when the app is started again %d of 1 is counted: counts %s with %j',
    async (counted, _, env: Record<string, string>) => {
      const app = await start('ecosystem.cluster.config.js', env);
      await request(app.port, '/hello/you');
      await app.run('stop', 'koa-cluster-metrics');
      await app.run('start', 'koa-cluster-metrics');
      const families = await app.scrape();
      expect(total(families, 'flask_app_request_count', HELLO)).toBe(counted);
      expect(total(families, 'flask_app_worker_exits_total', { reason: 'drained' })).toBe(
        counted * INSTANCES,
      );
      expect(app.logs()).toContain('"instance":1');
    },
  );
});

describe('PM2 in fork mode', () => {
  test('ten reloads by the command under load fail no request', async () => {
    const app = await start('ecosystem.config.js');
    // wait_ready: PM2 has said that it is online.
    expect((await request(app.port, '/readyz')).status).toBe(200);
    const relieve = burden(app);
    for (let i = 1; i <= 10; i++) {
      await app.npmRun('reload');
      await eventually(`reload ${i} is over`, 60_000, () => {
        return app.logs().match(/Reloaded: all workers are new/g)?.length === i;
      });
    }
    const { answered, scrapes, ...result } = await relieve();
    expect(result).toEqual({ failed: 0, failures: [], statuses: [200], faults: [] });
    const families = await app.scrape();
    expect(total(families, 'flask_app_request_count', HELLO)).toBe(answered);
    expect(total(families, 'flask_app_worker_exits_total', { reason: 'drained' })).toBe(10 * INSTANCES);
    expect(scrapes).toBeGreaterThan(10);
    const [process] = await app.processes();
    expect(process?.pm2_env.restart_time).toBe(0);
    expect(app.logs()).not.toMatch(/"level":"(?:warn|error|fatal)"/);
  }, 600_000);

  test('bad configuration is not tried again', async () => {
    const app = await start('ecosystem.config.js');
    app.setEnv('PORT', 'http');
    await app.run('restart', 'koa-cluster-metrics', '--update-env');
    const [process] = await app.processes();
    expect(process?.pid).toBe(0);
    expect(process?.pm2_env.restart_time).toBe(1);
    expect(app.logs()).toContain('PORT: expected');
  });
});
