import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually';
import { total } from '../support/exposition';
import { Service } from '../support/service';
import type { Context, FaultCase } from './context';

const timeoutMs = 2000;

async function exits(service: Service): Promise<number> {
  const families = await service.scrape();
  return total(families, 'flask_app_worker_exits_total');
}

/** A host that stops as a whole for longer than a worker may be silent, and goes on process by process. */
export const stoppedHost: FaultCase = {
  id: 'stopped-host',
  async run(context: Context) {
    const service = await context.faulty({ WORKER_TIMEOUT_MS: String(timeoutMs) });
    const workers = service.workers();
    service.signalGroup('SIGSTOP');
    await delay(2 * timeoutMs);
    service.signal('SIGCONT');
    await delay(timeoutMs / 4);
    for (const pid of workers) process.kill(pid, 'SIGCONT');
    await delay(timeoutMs);
    const ended = await exits(service);
    context.check(
      `all stopped for ${2 * timeoutMs} ms (WORKER_TIMEOUT_MS is ${timeoutMs}), workers go on ${timeoutMs / 4} ms after the primary`,
      `${ended} workers ended`,
      '0',
      ended === 0 && service.workers().join() === workers.join(),
    );
    await service.dispose();
  },
};

/** Signals at many moments of the start. */
export const earlySignals: FaultCase = {
  id: 'early-signals',
  async run(context: Context) {
    const moments = context.times(20, 8);
    const folder = mkdtempSync(join(tmpdir(), 'faults-signals-'));
    await Promise.all([
      signalled(context, folder, 'SIGHUP', moments),
      signalled(context, folder, 'SIGTERM', moments),
    ]);
    rmSync(folder, { recursive: true });
  },
};

async function signalled(
  context: Context,
  folder: string,
  signal: 'SIGHUP' | 'SIGTERM',
  moments: number,
): Promise<void> {
  let right = 0;
  for (let n = 1; n <= moments; n += 1) {
    // A signal that comes before the program calls `run` would end it.
    const begun = join(folder, `${signal}-${n}`);
    const env = { FAULT_BEGUN: begun };
    const service = await Service.start({ program: 'test/fixtures/service.js', readyMs: 0, env });
    await eventually('the program runs', 20_000, () => existsSync(begun));
    await delay((n * 1500) / moments);
    service.signal(signal);
    const good = await (signal === 'SIGHUP' ? comesUp(service) : goes(service));
    right += good ? 1 : 0;
    await service.dispose();
  }
  context.check(
    `${signal} at ${moments} moments of the first 1.5 s`,
    `${right} ${signal === 'SIGHUP' ? 'came up' : 'ended, with all processes'}`,
    String(moments),
    right === moments,
  );
}

async function comesUp(service: Service): Promise<boolean> {
  return service.allReady(2).then(
    () => true,
    () => false,
  );
}

async function goes(service: Service): Promise<boolean> {
  return eventually(
    'the end',
    15_000,
    () => service.exit !== undefined && service.processes().length === 0,
  ).catch(() => false);
}

/** A service that npm has started, and a signal that npm alone gets. */
export const throughNpm: FaultCase = {
  id: 'through-npm',
  async run(context: Context) {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGKILL'] as const) {
      const service = await Service.start({ program: 'start', command: ['npm'], readyMs: 60_000 });
      const answer = service.get('/livez').then(({ status }) => status, String);
      service.signal(signal);
      const gone = await eventually('the end of all', 15_000, () => service.processes().length === 0).catch(
        () => false,
      );
      context.check(
        `${signal} to npm, which has started the service`,
        `${await answer}, ${service.processes().length} processes left`,
        '200, 0 left',
        gone && (await answer) === 200,
      );
      await service.dispose();
    }
  },
};
