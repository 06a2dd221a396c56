import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../support/eventually';
import { request } from '../support/exchange';
import { Load, failed } from '../support/load-client';
import { alive, childrenOf } from '../support/processes';
import { freePort } from '../support/service';
import type { Context, FaultCase } from './context';

const run = promisify(execFile);
const name = 'fault-suite';

interface App {
  readonly pid: number;
  readonly status: string;
}

/** A PM2 of its own: its daemon, sockets and logs are in one folder, and end with `dispose`. */
class Pm2 {
  readonly home = mkdtempSync(join(tmpdir(), 'pm2-'));
  readonly port: number;
  readonly #env: Record<string, string | undefined>;

  constructor(port: number) {
    this.port = port;
    this.#env = {
      PATH: process.env['PATH'],
      HOME: this.home,
      PM2_HOME: this.home,
      PORT: String(port),
      HOST: '127.0.0.1',
      WEB_CONCURRENCY: '2',
      LEDGER_DIR: this.home,
    };
  }

  async do(...args: string[]): Promise<string> {
    const { stdout } = await run(process.execPath, [resolve('node_modules/pm2/bin/pm2'), ...args], {
      env: this.#env,
      timeout: 120_000,
    });
    return stdout;
  }

  async start(settings: Readonly<Record<string, unknown>>): Promise<void> {
    const file = join(this.home, 'app.config.js');
    const app = { name, cwd: process.cwd(), script: 'test/fixtures/service.js', ...settings };
    writeFileSync(file, `module.exports = ${JSON.stringify({ apps: [app] })};`);
    await this.do('start', file);
    await eventually('PM2 serves', 20_000, async () => (await request(this.port, '/readyz')).status === 200);
  }

  async apps(): Promise<App[]> {
    const text = await this.do('jlist');
    const list: unknown = JSON.parse(text.slice(text.indexOf('[{')));
    if (!Array.isArray(list)) throw new Error('pm2 jlist gives no list');
    return list.map((app: { pid: number; pm2_env: { status: string } }) => {
      return { pid: app.pid, status: app.pm2_env.status };
    });
  }

  async dispose(): Promise<void> {
    const apps = await this.apps();
    await this.do('kill');
    await eventually('the end of the apps', 10_000, () => !apps.some(({ pid }) => alive(pid)));
    rmSync(this.home, { recursive: true });
  }
}

async function underLoad(
  context: Context,
  stimulus: string,
  pm2: Pm2,
  change: () => Promise<void>,
): Promise<void> {
  const loads = [
    new Load({ port: pm2.port, rate: 500, connections: 32 }),
    new Load({ port: pm2.port, rate: 50, connections: 30, path: '/slow?ms=200' }),
  ];
  await eventually('load', 5000, () => (loads[0]?.answered ?? 0) > 500);
  await change();
  const reports = await Promise.all(loads.map((load) => load.stop()));
  const sent = reports.reduce((sum, report) => sum + report.sent, 0);
  const lost = reports.reduce((sum, report) => sum + failed(report), 0);
  const failures = reports.flatMap((report) => report.failures.map(({ text }) => text)).slice(0, 3);
  context.check(
    stimulus,
    `${lost} of ${sent} failed ${failures.join('; ')}`,
    '0 failed',
    lost === 0 && sent > 0,
  );
}

/** Reloads through PM2. */
export const pm2Reloads: FaultCase = {
  id: 'pm2-reloads',
  async run(context: Context) {
    const times = context.times(10, 2);
    const cluster = new Pm2(await freePort());
    try {
      await cluster.start({
        exec_mode: 'cluster',
        instances: 2,
        wait_ready: true,
        listen_timeout: 20_000,
        kill_timeout: 15_000,
      });
      await underLoad(context, `pm2 reload × ${times}, cluster mode`, cluster, async () => {
        for (let n = 0; n < times; n += 1) await cluster.do('reload', name);
      });
    } finally {
      await cluster.dispose();
    }
    const fork = new Pm2(await freePort());
    try {
      await fork.start({
        exec_mode: 'fork',
        instances: 1,
        wait_ready: true,
        listen_timeout: 20_000,
        kill_timeout: 15_000,
      });
      const [app] = await fork.apps();
      if (app === undefined) throw new Error('PM2 runs no app');
      await underLoad(context, `SIGHUP × ${times}, PM2's fork mode`, fork, async () => {
        for (let n = 0; n < times; n += 1) await reloadOnce(app.pid);
      });
    } finally {
      await fork.dispose();
    }
  },
};

async function reloadOnce(primary: number): Promise<void> {
  const old = childrenOf(primary);
  process.kill(primary, 'SIGHUP');
  await eventually('the reload', 60_000, () => {
    const now = childrenOf(primary);
    return now.length === old.length && !now.some((pid) => old.includes(pid));
  });
}
