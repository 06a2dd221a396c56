import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually';
import { rawExchange, request, requestBytes } from '../support/exchange';
import { type Failure, Load, type LoadReport } from '../support/load-client';
import type { Service } from '../support/service';
import type { Context, FaultCase } from './context';

const drainMs = 10_000;
/** SHUTDOWN_DELAY_MS: how long readiness is 503 before the listener closes. */
const delayMs = 500;
const half = (index: number): string => `/slow?ms=${500 + ((index * 613) % 4501)}`;

/** Asks /readyz until nothing listens any more; notes the statuses in order, each change once. */
async function watchReadiness(service: Service, seen: string[]): Promise<void> {
  for (;;) {
    const answer = await request(service.port, '/readyz').catch(String);
    // A listener that closes resets those whom nobody has accepted, and refuses the next.
    const state = typeof answer === 'string' ? 'closed' : String(answer.status);
    if (seen.at(-1) !== state) seen.push(state);
    if (typeof answer === 'string' && answer.includes('ECONNREFUSED')) return;
    await delay(20);
  }
}

/** Requests that were begun and not finished; refused ones were never begun. */
function broken({ failures }: LoadReport): readonly Failure[] {
  return failures.filter(({ outcome }) => outcome !== 'refused');
}

/**
 * The kernel completes connections that nobody has accepted yet, and resets them when the listener closes. Such a one
 * was opened after readiness had said 503 for the whole delay, and no process of the service ever saw it.
 */
function neverAccepted({ outcome, openedAt, answersBefore }: Failure, stoppedAt: number): boolean {
  return outcome === 'unanswered' && answersBefore === 0 && openedAt > stoppedAt + delayMs * 0.9;
}

interface Ending {
  readonly broken: number;
  readonly neverAccepted: number;
  readonly answered: number;
  readonly ms: number;
  readonly code: number | null;
  readonly left: number;
  readonly readiness: string;
  readonly failures: readonly string[];
}

/** Stops a service while its clients go on. */
async function stopUnderLoad(context: Context, stop: (service: Service) => void): Promise<Ending> {
  const service = await context.faulty({
    SHUTDOWN_TIMEOUT_MS: String(drainMs),
    SHUTDOWN_DELAY_MS: String(delayMs),
  });
  const loads = [
    new Load({ port: service.port, rate: 20, connections: 120, path: half }),
    new Load({ port: service.port, rate: 200, connections: 20 }),
  ];
  await eventually('requests in flight', 10_000, () => (loads[0]?.inFlight ?? 0) > 25);
  const scraper = context.scraper(service);
  const seen: string[] = [];
  const readiness = watchReadiness(service, seen);
  await eventually('a first look', 2000, () => seen.length > 0);
  const at = performance.now();
  stop(service);
  scraper.expectClosed(at + delayMs * 0.9);
  const exit = await service.waitForExit(drainMs + 5000).catch(() => undefined);
  const ms = performance.now() - at;
  const left = service.processes().length;
  if (exit !== undefined) await Promise.all([scraper.stop(), readiness]);
  const reports = await Promise.all(loads.map((load) => load.stop()));
  const failures = reports.flatMap(broken);
  const result = {
    broken: failures.filter((failure) => !neverAccepted(failure, at)).length,
    neverAccepted: failures.filter((failure) => neverAccepted(failure, at)).length,
    answered: reports.reduce((sum, report) => sum + report.outcomes.answered, 0),
    ms,
    code: exit?.code ?? null,
    left,
    readiness: seen.join(' '),
    failures: failures.map(({ text }) => text),
  };
  await service.dispose();
  return result;
}

function checkEndings(context: Context, stimulus: string, endings: readonly Ending[]): void {
  const sum = (pick: (ending: Ending) => number): number => endings.reduce((all, one) => all + pick(one), 0);
  const slowest = Math.max(...endings.map(({ ms }) => ms));
  const failures = endings.flatMap((ending) => ending.failures).slice(0, 3);
  const codes = [...new Set(endings.map(({ code }) => code))].join();
  context.check(
    stimulus,
    `${sum((one) => one.broken)} failed of ${sum((one) => one.answered)} in flight and before, ${sum((one) => one.neverAccepted)} connections met the closing listener, exit ${codes} after ≤ ${slowest.toFixed(0)} ms, ${sum((one) => one.left)} processes left ${failures.join('; ')}`,
    `0 failed, exit 0 ≤ ${drainMs + 1000} ms, 0 left`,
    sum((one) => one.broken) === 0 &&
      codes === '0' &&
      slowest <= drainMs + 1000 &&
      sum((one) => one.left) === 0,
  );
  const orders = [...new Set(endings.map(({ readiness }) => readiness))].join(', ');
  context.check(`${stimulus}: /readyz`, orders, '200, then 503, then closed', orders === '200 503 closed');
}

/** SIGTERM while clients that never stop have requests of 0.5 to 5 s in flight. */
export const gracefulStop: FaultCase = {
  id: 'graceful-stop',
  async run(context: Context) {
    const times = context.times(20, 4);
    const endings: Ending[] = [];
    while (endings.length < times) {
      const batch = Array.from({ length: 4 }, () =>
        stopUnderLoad(context, (service) => service.signal('SIGTERM')),
      );
      endings.push(...(await Promise.all(batch)));
    }
    checkEndings(context, `SIGTERM × ${times}, requests of 0.5–5 s`, endings);
  },
};

async function secondSignal(context: Context): Promise<void> {
  const service = await context.faulty();
  const load = new Load({ port: service.port, rate: 20, connections: 20, path: '/slow?ms=8000' });
  await eventually('requests in flight', 5000, () => load.inFlight > 10);
  service.signal('SIGTERM');
  await delay(300);
  const at = performance.now();
  service.signal('SIGTERM');
  const exit = await service.waitForExit(10_000).catch(() => undefined);
  const ms = performance.now() - at;
  context.check(
    'a second SIGTERM, requests of 8 s in flight',
    `exit ${exit?.code ?? exit?.signal ?? 'none'} after ${ms.toFixed(0)} ms, ${service.processes().length} processes left`,
    '< 2000 ms, 0 left',
    ms < 2000 && service.processes().length === 0,
  );
  await service.dispose();
  await load.stop();
}

async function deadPrimary(context: Context): Promise<void> {
  const service = await context.faulty();
  await rawExchange(service.port, requestBytes({ method: 'GET', path: '/spin' }), { deadlineMs: 1000 });
  const before = service.processes().length;
  const at = performance.now();
  service.signal('SIGKILL');
  await eventually('the end of all', 3000, () => service.processes().length === 0).catch(() => undefined);
  const left = service.processes().length;
  context.check(
    'SIGKILL of the primary, one worker hung',
    `${left} of ${before} processes left after ${(performance.now() - at).toFixed(0)} ms`,
    '0 after 3000 ms',
    left === 0 && before === 3,
  );
  await service.dispose();
}

const interruptGroup = (service: Service): void => service.signalGroup('SIGINT');

/** Endings that are not the polite one. */
export const hardStop: FaultCase = {
  id: 'hard-stop',
  async run(context: Context) {
    const times = context.times(4, 2);
    const endings = await Promise.all(
      Array.from({ length: times }, () => stopUnderLoad(context, interruptGroup)),
    );
    checkEndings(context, `SIGINT to the whole process group × ${times}`, endings);
    await secondSignal(context);
    await deadPrimary(context);
  },
};
