import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually';
import { total } from '../support/exposition';
import { Load, type LoadReport, failed } from '../support/load-client';
import type { Service } from '../support/service';
import type { Context, FaultCase } from './context';
import { leaveInTheMiddle } from './leaving';
import type { Scraper } from './scraper';
import { scrapeTotals } from './scrapers';

const workers = 4;
/** Milliseconds from full strength to the next fault. */
const pauseMs = 1000;
/** Milliseconds that the service may take to be at full strength again. */
const recoveryMs = 60_000;

/** The loads, and the endpoint under which all of each are counted, with this status. */
const kinds = [
  { name: 'kept connections', rate: 200, connections: 32, path: '/', endpoint: '/' },
  { name: 'a connection for each', rate: 40, connections: 'each', path: '/many', endpoint: '/many' },
  { name: 'half a second each', rate: 10, connections: 20, path: '/slow?ms=500', endpoint: '/slow' },
] as const;

interface Fault {
  readonly name: string;
  readonly happen: (service: Service) => unknown;
}

const oneOf = <T>(list: readonly T[]): T | undefined => list[Math.floor(Math.random() * list.length)];

function signalOne(service: Service, signal: NodeJS.Signals): void {
  const pid = oneOf(service.workers());
  if (pid !== undefined) process.kill(pid, signal);
}

const faults: readonly Fault[] = [
  { name: 'kill -9', happen: (service) => signalOne(service, 'SIGKILL') },
  { name: 'SIGSTOP', happen: (service) => signalOne(service, 'SIGSTOP') },
  { name: 'reload', happen: (service) => service.signal('SIGHUP') },
  { name: 'abort', happen: (service) => service.get('/abort') },
  { name: 'exception', happen: (service) => service.get('/crash') },
  { name: 'leaving clients', happen: (service) => leaveInTheMiddle(service.port) },
  { name: 'bad messages', happen: (service) => service.get('/ipc') },
];

/** Everything at once for so many minutes: loads, scrapes, and a fault every few seconds. What is counted has to be exact. */
export const soak = (minutes: number): FaultCase => ({
  id: 'soak',
  async run(context: Context) {
    const service = await context.faulty({ WEB_CONCURRENCY: String(workers), WORKER_TIMEOUT_MS: '3000' });
    const scraper = context.scraper(service);
    const loads = kinds.map((kind) => new Load({ ...kind, port: service.port }));
    const happened = await happen(service, scraper, minutes * 60_000);
    const reports = await Promise.all(loads.map((load) => load.stop()));
    await checkEnd(context, service, scraper, happened);
    const families = await service.scrape();
    kinds.forEach(({ name, endpoint }, index) => {
      const counted = total(families, 'flask_app_request_count', { endpoint, http_status: '200' });
      checkLoad(context, `${minutes} min, ${name}`, reports[index] as LoadReport, counted); // one for each load
    });
    await scraper.stop();
    const exit = await service.stop().catch(() => undefined);
    context.check('SIGTERM after it', `exit ${exit?.code ?? 'none'}`, 'exit 0', exit?.code === 0);
    await service.dispose();
    await scrapeTotals.run(context);
  },
});

/** Lets one fault after the other happen; gives how often each did. */
async function happen(service: Service, scraper: Scraper, ms: number): Promise<ReadonlyMap<string, number>> {
  const happened = new Map<string, number>();
  for (const end = performance.now() + ms; performance.now() < end;) {
    const fault = oneOf(faults);
    if (!fault) break;
    happened.set(fault.name, (happened.get(fault.name) ?? 0) + 1);
    // A fault that ends the worker which serves it gets no answer.
    void Promise.resolve(fault.happen(service)).catch(() => undefined);
    await delay(pauseMs);
    const since = performance.now();
    await eventually(
      `full strength after ${fault.name}`,
      recoveryMs,
      () => scraper.readySince(since) === workers,
    );
  }
  return happened;
}

async function checkEnd(
  context: Context,
  service: Service,
  scraper: Scraper,
  happened: ReadonlyMap<string, number>,
): Promise<void> {
  const at = performance.now();
  const strong = await eventually(
    'full strength',
    recoveryMs,
    () => scraper.readySince(at) === workers,
  ).catch(() => false);
  const list = [...happened].map(([name, times]) => `${times} × ${name}`).join(', ');
  context.check(list, strong ? 'full strength after it' : 'not at full strength', 'full strength', strong);
  // The clients of the last fault may still be leaving.
  let busy = NaN;
  await eventually('nothing is in progress', recoveryMs, async () => {
    busy = total(await service.scrape(), 'flask_app_requests_in_progress');
    return busy === 0;
  }).catch(() => undefined);
  context.check('requests in progress after it', String(busy), '0', busy === 0);
}

/** A request that got no answer may have been counted: it was on its way when its worker ended. */
function checkLoad(context: Context, stimulus: string, report: LoadReport, counted: number): void {
  const { answered } = report.outcomes;
  const lost = failed(report);
  context.check(
    stimulus,
    `answered ${answered}, counted ${counted}, lost ${lost} of ${report.sent}`,
    'answered ≤ counted ≤ answered + lost',
    answered <= counted && counted <= answered + lost,
  );
}
