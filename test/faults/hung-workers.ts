import { eventually } from '../support/eventually';
import { Load, failed } from '../support/load-client';
import { rawExchange, requestBytes } from '../support/exchange';
import { total } from '../support/exposition';
import { alive } from '../support/processes';
import type { Service } from '../support/service';
import type { Context, FaultCase } from './context';

const timeoutMs = 5000;

/** Makes one worker hang. Gives its pid, and the time since which it may hang. */
type Hang = (service: Service) => Promise<{ victim: number; since: number }>;

const stop: Hang = async (service) => {
  const [victim] = service.workers();
  if (victim === undefined) throw new Error('no worker to stop');
  process.kill(victim, 'SIGSTOP');
  return { victim, since: performance.now() };
};

const spin: Hang = async (service) => {
  const bytes = requestBytes({ method: 'GET', path: '/spin' });
  const since = performance.now();
  // The handler says who it is before it begins to spin.
  const { text } = await rawExchange(service.port, bytes, { deadlineMs: 1000 });
  return { victim: Number(/pid=(\d+)/.exec(text)?.[1]), since };
};

async function hangOnce(context: Context, service: Service, name: string, hang: Hang): Promise<void> {
  const before = total(await service.scrape(), 'flask_app_request_count', { endpoint: '/' });
  const load = new Load({ port: service.port, rate: 200, connections: 'each', timeoutMs: 5000 });
  await eventually('load', 5000, () => load.answered > 100);
  const { victim, since } = await hang(service);
  let [scrapes, slowestMs, uncounted] = [0, 0, 0];
  // Until one has asked the worker that hangs. One that is not a 200 throws.
  const missed = eventually('a scrape that misses it', 4500, async () => {
    const at = performance.now();
    // The load goes on: a scrape shows at least what was answered before it began.
    const { answered } = load;
    const families = await service.scrape();
    scrapes += 1;
    slowestMs = Math.max(slowestMs, performance.now() - at);
    const counted = total(families, 'flask_app_request_count', { endpoint: '/' }) - before;
    uncounted = Math.max(uncounted, answered - counted);
    return total(families, 'flask_app_scrape_workers_missing') === 1;
  });
  const outcome = await missed.then(() => 'until one missed it', String);
  context.checkSpeed(
    `${name}: /metrics`,
    `${scrapes} scrapes ${outcome}, slowest ${slowestMs.toFixed(0)} ms, ${uncounted} answered and not counted`,
    '200 in < 1000 ms each, it is missed, none uncounted',
    slowestMs < 1000,
    outcome === 'until one missed it' && uncounted === 0,
  );
  await eventually(`replacement of ${victim}`, timeoutMs + 8000, async () => {
    if (alive(victim)) return false;
    return total(await service.scrape(), 'flask_app_workers', { state: 'ready' }) === 2;
  });
  const replacedMs = performance.now() - since;
  const report = await load.stop();
  const { outcomes } = report;
  context.checkSpeed(
    `${name}: killed and replaced`,
    `after ${replacedMs.toFixed(0)} ms, ${failed(report)} of ${report.sent} others lost (${JSON.stringify(outcomes)})`,
    `≤ ${timeoutMs + 1000} ms`,
    replacedMs <= timeoutMs + 1000,
  );
}

/** A worker that hangs. */
export const hungWorkers: FaultCase = {
  id: 'hung-workers',
  async run(context: Context) {
    const service = await context.faulty({ WORKER_TIMEOUT_MS: String(timeoutMs) });
    const scraper = context.scraper(service);
    const kinds: readonly [string, Hang][] = [
      ['while(true) in a handler', spin],
      ['SIGSTOP', stop],
    ];
    for (let round = 0; round < context.times(2, 1); round += 1)
      for (const [name, hang] of kinds) await hangOnce(context, service, name, hang);
    const hung = total(await service.scrape(), 'flask_app_worker_exits_total', { reason: 'hung' });
    const expected = context.times(4, 2);
    context.check('exits by reason', `hung ${hung}`, `${expected}`, hung === expected);
    await scraper.stop();
    await service.dispose();
  },
};
