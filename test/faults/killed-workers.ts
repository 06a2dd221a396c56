import { eventually } from '../support/eventually';
import { total } from '../support/exposition';
import { Load, failed } from '../support/load-client';
import { connectionsOf } from '../support/processes';
import type { Service } from '../support/service';
import type { Context, FaultCase } from './context';
import type { Scraper } from './scraper';

const workers = 4;

interface Kills {
  /** Connections that the killed workers held at their end, together. */
  readonly connections: number;
  /** Milliseconds from the slowest kill to full strength. */
  readonly slowestMs: number;
}

/** Kills a random worker so many times, each time at full strength. */
async function killRepeatedly(service: Service, scraper: Scraper, times: number): Promise<Kills> {
  let connections = 0;
  let slowestMs = 0;
  for (let kill = 0; kill < times; kill += 1) {
    const pids = service.workers();
    const victim = pids[Math.floor(Math.random() * pids.length)];
    if (victim === undefined) throw new Error('no worker to kill');
    connections += connectionsOf(victim, service.port);
    const at = performance.now();
    process.kill(victim, 'SIGKILL');
    await eventually('full strength after a kill', 15_000, () => {
      return scraper.readySince(at + 1) === workers && !service.workers().includes(victim);
    });
    slowestMs = Math.max(slowestMs, performance.now() - at);
  }
  return { connections, slowestMs };
}

const ofGreeting = { method: 'GET', endpoint: '/', http_status: '200' };

/** Workers killed at 2,000 requests a second over connections that are kept alive. */
export const killedKeepAlive: FaultCase = {
  id: 'killed-keep-alive',
  async run(context: Context) {
    const service = await context.faulty({ WEB_CONCURRENCY: String(workers) });
    const scraper = context.scraper(service);
    const load = new Load({ port: service.port, rate: 2000, connections: 64 });
    const times = context.times(20, 5);
    await eventually('load', 5000, () => load.answered > 1000);
    const kills = await killRepeatedly(service, scraper, times);
    const report = await load.stop();
    await scraper.stop();
    const counted = total(await service.scrape(), 'flask_app_request_count', ofGreeting);
    const lost = failed(report);
    const { answered } = report.outcomes;
    const stimulus = `kill -9 of a random worker × ${times}, 2,000 rps keep-alive`;
    context.check(
      stimulus,
      `answered ${answered}, counted ${counted}, lost ${lost}`,
      'answered ≤ counted ≤ answered + lost',
      answered <= counted && counted <= answered + lost,
    );
    context.check(
      stimulus,
      `lost ${lost}, connections of the killed ${kills.connections}`,
      'lost ≤ connections',
      lost <= kills.connections,
    );
    context.checkSpeed(
      stimulus,
      `full strength after ${kills.slowestMs.toFixed(0)} ms at most`,
      '< 2000 ms',
      kills.slowestMs < 2000,
    );
    await service.dispose();
  },
};

/** The same with a new connection for every request; a connection handed to a dying worker must not hang. The short run
 * waits for longer: a machine that has too much to do looks like one. */
export const killedNewConnections: FaultCase = {
  id: 'killed-new-connections',
  async run(context: Context) {
    const service = await context.faulty({ WEB_CONCURRENCY: String(workers) });
    const scraper = context.scraper(service);
    const timeoutMs = context.times(5_000, 15_000);
    const load = new Load({ port: service.port, rate: 1000, connections: 'each', timeoutMs });
    const times = context.times(20, 4);
    await eventually('load', 5000, () => load.answered > 500);
    const kills = await killRepeatedly(service, scraper, times);
    const report = await load.stop();
    await scraper.stop();
    const counted = total(await service.scrape(), 'flask_app_request_count', ofGreeting);
    const { answered } = report.outcomes;
    const lost = failed(report);
    const stimulus = `kill -9 × ${times}, 1,000 new connections/s`;
    context.check(
      stimulus,
      `${report.outcomes['timed out']} connections left open, ${lost} of ${report.sent} lost`,
      '0 left open',
      report.outcomes['timed out'] === 0,
    );
    context.check(
      stimulus,
      `answered ${answered}, counted ${counted}, full strength ≤ ${kills.slowestMs.toFixed(0)} ms`,
      'answered ≤ counted ≤ answered + lost',
      answered <= counted && counted <= answered + lost,
    );
    await service.dispose();
  },
};
