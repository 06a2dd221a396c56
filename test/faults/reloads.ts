import { eventually } from '../support/eventually';
import { total } from '../support/exposition';
import { Load, type LoadReport, failed, percentile } from '../support/load-client';
import type { Service } from '../support/service';
import type { Context, FaultCase } from './context';
import type { Scraper } from './scraper';

const drainMs = 5000;
const workers = 2;

/** A load, and the labels under which all of its requests are counted. */
const kinds = [
  { name: '2,000 rps on 32 connections', rate: 2000, connections: 32, path: '/', endpoint: '/' },
  { name: '400 rps on 200 connections', rate: 400, connections: 200, path: '/many', endpoint: '/many' },
  { name: '200 ms requests', rate: 100, connections: 60, path: '/slow?ms=200', endpoint: '/slow' },
  { name: '400 mostly idle connections', rate: 80, connections: 400, path: '/idle', endpoint: '/idle' },
] as const;

/**
 * Reloads once, until all old workers are gone and the new ones ready. Gives the milliseconds for each of them from when its
 * replacement was forked until the old one was gone.
 */
async function reload(service: Service, scraper: Scraper): Promise<number[]> {
  const old = service.workers();
  const at = performance.now();
  const [forked, gone] = [new Map<number, number>(), new Map<number, number>()];
  service.signal('SIGHUP');
  await eventually('the reload', 60_000, () => {
    const now = service.workers();
    const time = performance.now();
    for (const pid of now) if (!old.includes(pid) && !forked.has(pid)) forked.set(pid, time);
    for (const pid of old) if (!now.includes(pid) && !gone.has(pid)) gone.set(pid, time);
    return gone.size === workers && now.length === workers && scraper.readySince(at + 1) === workers;
  });
  const forks = [...forked.values()];
  return [...gone.values()].map((time, n) => time - (forks[n] ?? NaN));
}

/** Rolling reloads under four kinds of load at once. */
export const rollingReloads: FaultCase = {
  id: 'rolling-reloads',
  async run(context: Context) {
    const times = context.times(20, 5);
    const service = await context.faulty({
      WEB_CONCURRENCY: String(workers),
      SHUTDOWN_TIMEOUT_MS: String(drainMs),
    });
    const scraper = context.scraper(service);
    const loads = kinds.map((kind) => new Load({ ...kind, port: service.port }));
    await eventually('all connections', 20_000, () => (loads[3]?.answered ?? 0) > 400);
    const replaced: number[] = [];
    for (let n = 0; n < times; n += 1) replaced.push(...(await reload(service, scraper)));
    const reports = await Promise.all(loads.map((load) => load.stop()));
    await scraper.stop();
    const families = await service.scrape();
    kinds.forEach(({ name, endpoint }, index) => {
      const counted = total(families, 'flask_app_request_count', { endpoint, http_status: '200' });
      // each load has one report
      checkLoad(context, `${times} reloads, ${name}`, reports[index] as LoadReport, counted);
    });
    const slowestMs = Math.max(...replaced);
    context.check(
      `${times} reloads of ${workers} workers`,
      `${replaced.length} old workers gone, each ≤ ${slowestMs.toFixed(0)} ms after its replacement was forked`,
      `${times * workers}, within the drain deadline and 1 s: ≤ ${drainMs + 1000} ms`,
      replaced.length === times * workers && slowestMs <= drainMs + 1000,
    );
    await service.dispose();
  },
};

function checkLoad(context: Context, stimulus: string, report: LoadReport, counted: number): void {
  const { sent, outcomes, failures, opened } = report;
  const p99 = percentile(report.latencies, 0.99).toFixed(0);
  context.check(
    stimulus,
    `${failed(report)} of ${sent} failed, counted − answered = ${counted - outcomes.answered}, ${opened} connections opened, p99 ${p99} ms ${failures
      .slice(0, 3)
      .map(({ text }) => text)
      .join('; ')}`,
    '0 failed, counted = answered',
    failed(report) === 0 && counted === outcomes.answered,
  );
}
