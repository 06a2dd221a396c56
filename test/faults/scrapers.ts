import { setTimeout as delay } from 'node:timers/promises';
import { total } from '../support/exposition';
import { Load, type LoadReport, failed, percentile } from '../support/load-client';
import type { Service } from '../support/service';
import type { Context, FaultCase } from './context';
import { RemoteLoad } from './remote-load';

const sliceMs = 1000;

function median(values: readonly number[]): number {
  return percentile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

/** The p99 of a client of the API in one slice of time, in milliseconds. */
async function slice(service: Service): Promise<number> {
  const load = new Load({ port: service.port, rate: 300, connections: 20 });
  await delay(sliceMs);
  return percentile((await load.stop()).latencies, 0.99);
}

/** 50 scrapers, each once a second, spread over it, and then all as fast as they can. */
export const manyScrapers: FaultCase = {
  id: 'many-scrapers',
  async run(context: Context) {
    const service = await context.faulty({ FAULT_COLLECT_MS: '20' });
    const quiet: number[] = [];
    const scraped: number[] = [];
    const reports: LoadReport[] = [];
    await slice(service);
    // Both are measured in turn, so that noise of the machine meets both alike.
    for (let n = 0; n < context.times(10, 4); n += 1) {
      quiet.push(await slice(service));
      const scrape = { port: service.port, rate: 50, connections: 50, path: '/metrics' };
      const scrapers = await RemoteLoad.start(scrape);
      scraped.push(await slice(service));
      reports.push(await scrapers.stop());
    }
    const storm = new Load({
      port: service.port,
      rate: 1000,
      connections: 50,
      path: '/metrics',
      timeoutMs: 20_000,
    });
    await delay(context.times(5000, 2000));
    reports.push(await storm.stop());
    const ratio = median(scraped) / median(quiet);
    context.checkSpeed(
      `50 scrapers, ${scraped.length} slices of ${sliceMs} ms against as many without`,
      `clients' median p99 ${median(quiet).toFixed(2)} ms → ${median(scraped).toFixed(2)} ms: × ${ratio.toFixed(2)}`,
      '≤ 1.5 × before',
      ratio <= 1.5,
    );
    const scrapes = reports.reduce((sum, report) => sum + report.sent, 0);
    const bad = reports.reduce(
      (sum, report) => sum + failed(report) + report.sent - (report.statuses.get(200) ?? 0),
      0,
    );
    const most = total(await service.scrape(), 'fixture_gatherings');
    context.check(
      'gatherings',
      `${scrapes} scrapes, ${bad} of them not 200; at most ${most} gathering at a time`,
      'all 200, 1 at a time',
      bad === 0 && most === 1,
    );
    await service.dispose();
  },
};

function first(lines: readonly string[]): string {
  return lines.slice(0, 3).join('; ').slice(0, 400);
}

/** Reports the findings of the scrapers that ran during the earlier cases. */
export const scrapeTotals: FaultCase = {
  id: 'scrape-totals',
  async run(context: Context) {
    const { scrapes, slowestMs, notOk, lostWithWorker, refusedAtEnd, fell, deadGauges } = context.scrapes;
    const stimulus = 'a scrape every 100 ms during the cases above';
    context.check(
      stimulus,
      `${scrapes} scrapes, slowest ${slowestMs.toFixed(0)} ms, ${lostWithWorker} lost with a worker that was killed, ${refusedAtEnd} refused at the end of a service, ${notOk.length} others not a 200 that parses ${first(notOk)}`,
      '0 others',
      scrapes > 0 && notOk.length === 0,
    );
    context.check(
      stimulus,
      `${fell.length} counters or buckets fell ${first(fell)}`,
      '0',
      scrapes > 0 && fell.length === 0,
    );
    context.check(
      stimulus,
      `${deadGauges.length} gauges of dead processes ${first(deadGauges)}`,
      '0',
      scrapes > 0 && deadGauges.length === 0,
    );
  },
};
