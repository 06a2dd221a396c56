import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually';
import { total } from '../support/exposition';
import { Load, failed } from '../support/load-client';
import { Service } from '../support/service';
import type { Context, FaultCase } from './context';

const windowMs = 10_000;

/** Workers that were forked, by the log that the fixture keeps. */
class ForkLog {
  readonly path: string;
  constructor(folder: string, name: string) {
    this.path = join(folder, name);
    writeFileSync(this.path, '');
  }
  get forks(): number {
    return readFileSync(this.path, 'utf8').split('\n').length - 1;
  }
}

/** A service whose very first worker does not boot: it says so, and exits. */
async function firstBoot(context: Context, folder: string, fault: string): Promise<void> {
  const log = new ForkLog(folder, `first-${fault}`);
  const service = await context.faulty(
    { FAULT_BOOT: fault, FAULT_LOG: log.path, WORKER_TIMEOUT_MS: '2000' },
    { readyMs: 0 },
  );
  const exit = await eventually('the exit', windowMs, () => service.exit).catch(() => undefined);
  context.check(
    `first boot: ${fault}`,
    `exit ${exit?.code ?? 'none'}, ${log.forks} forks`,
    'exit ≠ 0 within 10 s, ≤ 6 forks',
    exit !== undefined && exit.code !== 0 && log.forks <= 6,
  );
  await service.dispose();
}

/** Workers that boot, get ready, and die at once: the crash loop that a first boot does not see. */
async function crashLoop(context: Context, folder: string): Promise<void> {
  const log = new ForkLog(folder, 'loop');
  const service = await context.faulty({ FAULT_BOOT: 'after-ready', FAULT_LOG: log.path }, { readyMs: 0 });
  await delay(windowMs);
  context.check(
    'every worker dies 50 ms after it is ready',
    `${log.forks} forks in 10 s`,
    '≤ 6',
    log.forks <= 6,
  );
  await service.dispose();
}

/**
 * Kills one worker while nothing boots any more: the other must not suffer, and the first come back later.
 */
async function failingReplacement(context: Context, folder: string): Promise<void> {
  const log = new ForkLog(folder, 'replacement');
  const flag = join(folder, 'boots-fail');
  const env = { FAULT_BOOT: 'throw', FAULT_BOOT_WHILE: flag, FAULT_LOG: log.path };
  const service = await context.faulty(env);
  const scraper = context.scraper(service);
  const before = log.forks;
  writeFileSync(flag, '');
  const [victim, survivor] = service.workers();
  if (victim === undefined || survivor === undefined) throw new Error('two workers are expected');
  process.kill(victim, 'SIGKILL');
  await eventually('its end', 2000, () => !service.workers().includes(victim));
  const load = new Load({ port: service.port, rate: 100, connections: 10 });
  await delay(windowMs);
  const report = await load.stop();
  const forks = log.forks - before;
  context.check(
    'kill -9, and no replacement boots',
    `${forks} forks in 10 s, the other worker ${service.workers().includes(survivor) ? 'stayed' : 'went'}, ${failed(report)} of ${report.sent} failed`,
    '≤ 6 forks, it stays, 0 failed',
    forks <= 6 && service.workers().includes(survivor) && failed(report) === 0,
  );
  rmSync(flag);
  const at = performance.now();
  await eventually('full strength', 40_000, () => scraper.readySince(at) === 2);
  context.check(
    'booting works again',
    `full strength after ${((performance.now() - at) / 1000).toFixed(1)} s`,
    '≤ 38 s, the longest delay with its jitter',
    performance.now() - at <= 38_000,
  );
  await scraper.stop();
  await service.dispose();
}

/** A reload to a version that does not boot. */
async function failingReload(context: Context, folder: string): Promise<void> {
  const flag = join(folder, 'reload-fails');
  const log = new ForkLog(folder, 'reload');
  const service = await context.faulty({ FAULT_BOOT: 'throw', FAULT_BOOT_WHILE: flag, FAULT_LOG: log.path });
  const scraper = context.scraper(service);
  const old = service.workers().join();
  writeFileSync(flag, '');
  const load = new Load({ port: service.port, rate: 200, connections: 10 });
  service.signal('SIGHUP');
  await eventually('a fork that fails', 5000, () => log.forks > 2);
  await eventually('its end', 15_000, () => service.workers().join() === old);
  await delay(2000);
  const report = await load.stop();
  const kept = service.workers().join() === old;
  const ready = total(await service.scrape(), 'flask_app_workers', { state: 'ready' });
  context.check(
    'SIGHUP, and the new version does not boot',
    `old workers ${kept ? 'kept' : 'lost'}, ${ready} ready, ${failed(report)} of ${report.sent} failed`,
    'kept, 2 ready, 0 failed',
    kept && ready === 2 && failed(report) === 0,
  );
  await scraper.stop();
  await service.dispose();
}

async function portInUse(context: Context, folder: string): Promise<void> {
  const first = await context.faulty();
  const log = new ForkLog(folder, 'port');
  const started = performance.now();
  const second = await Service.start({
    program: 'test/fixtures/service.js',
    readyMs: 0,
    env: { PORT: String(first.port), FAULT_LOG: log.path },
  });
  const exit = await eventually('the exit', windowMs, () => second.exit).catch(() => undefined);
  const ms = performance.now() - started;
  const lines = second.stderr.trim().split('\n');
  const inStdout = second.stdout.split('\n').filter((line) => line.includes(String(first.port)));
  context.check(
    'port in use',
    `exit ${exit?.code ?? 'none'} after ${ms.toFixed(0)} ms, ${log.forks} forks, said: ${[...lines, ...inStdout].join(' | ').slice(0, 200)}`,
    'exit 1, ≤ 2 forks, one line that names the port',
    exit?.code === 1 && log.forks <= 2 && [...lines, ...inStdout].filter((line) => line !== '').length === 1,
  );
  await first.dispose();
  await second.dispose();
}

/** Workers that do not boot. */
export const bootFailures: FaultCase = {
  id: 'boot-failures',
  async run(context: Context) {
    const folder = mkdtempSync(join(tmpdir(), 'faults-boot-'));
    try {
      await Promise.all([
        ...['throw', 'exit', 'never'].map((fault) => firstBoot(context, folder, fault)),
        crashLoop(context, folder),
        failingReplacement(context, folder),
        failingReload(context, folder),
        portInUse(context, folder),
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};
