import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually';
import { Load, type LoadReport } from '../support/load-client';
import type { Context, FaultCase } from './context';

const seconds = 10;
const workers = 4;

function share({ sent, outcomes }: LoadReport): number {
  return (100 * outcomes.answered) / sent;
}

/** A request that crashes the worker that handles it, again and again. */
export const crashingRequest: FaultCase = {
  id: 'crashing-request',
  async run(context: Context) {
    const folder = mkdtempSync(join(tmpdir(), 'faults-crash-'));
    const log = join(folder, 'forks');
    const service = await context.faulty({ WEB_CONCURRENCY: String(workers), FAULT_LOG: log });
    const scraper = context.scraper(service);
    const others = new Load({ port: service.port, rate: 200, connections: 20 });
    const fresh = new Load({ port: service.port, rate: 50, connections: 'each' });
    await eventually('load', 5000, () => others.answered > 100);
    const crashes = new Load({ port: service.port, rate: 50, connections: 'each', path: '/crash' });
    await delay(seconds * 1000);
    await crashes.stop();
    const reports = [await others.stop(), await fresh.stop()] as const;
    const forks = readFileSync(log, 'utf8').trim().split('\n').length - workers;
    context.check(
      `an uncaught exception 50 times a second for ${seconds} s, ${workers} workers`,
      `${share(reports[0]).toFixed(2)} % of the others answered on kept connections, ${share(reports[1]).toFixed(2)} % on new ones`,
      '≥ 99 %',
      reports.every((report) => share(report) >= 99),
    );
    context.check('forks meanwhile', `${forks} in ${seconds} s`, `≤ ${workers + 6}`, forks <= workers + 6);
    await eventually('full strength', 60_000, () => scraper.readySince(0) === workers);
    await scraper.stop();
    await service.dispose();
    rmSync(folder, { recursive: true });
  },
};
