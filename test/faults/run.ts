import { parseArgs } from 'node:util';
import { disposeAll } from '../support/service';
import { bootFailures } from './boot';
import { cardinality } from './cardinality';
import { unreliableClients } from './clients';
import { manyConnections } from './connections';
import { contentTypes, hostilePaths } from './content';
import { type Check, Context, type FaultCase } from './context';
import { crashingRequest } from './crashes';
import { forwardedHeaders } from './forwarded';
import { earlySignals, stoppedHost, throughNpm } from './host';
import { hungWorkers } from './hung-workers';
import { productionInstall } from './install';
import { killedKeepAlive, killedNewConnections } from './killed-workers';
import { leavingClients } from './leaving';
import { logSinks } from './log-sinks';
import { malformedRequests, slowRequests, smuggling } from './malformed';
import { fuzzedMessages } from './messages';
import { pm2Reloads } from './pm2';
import { endingRequest } from './poison';
import { rollingReloads } from './reloads';
import { manyScrapers, scrapeTotals } from './scrapers';
import { gracefulStop, hardStop } from './shutdown';
import { soak } from './soak';
import { storage } from './storage';

/** The cases in their order: `scrape-totals` adds up the findings of those before it. */
const cases: readonly FaultCase[] = [
  killedKeepAlive,
  killedNewConnections,
  hungWorkers,
  bootFailures,
  rollingReloads,
  gracefulStop,
  hardStop,
  pm2Reloads,
  crashingRequest,
  endingRequest,
  stoppedHost,
  earlySignals,
  throughNpm,
  logSinks,
  cardinality,
  manyScrapers,
  unreliableClients,
  leavingClients,
  storage,
  malformedRequests,
  slowRequests,
  smuggling,
  contentTypes,
  hostilePaths,
  forwardedHeaders,
  manyConnections,
  fuzzedMessages,
  scrapeTotals,
  productionInstall,
];

/** Runs every case, or those that are named: `run.js [--short] [crashing-request …]`; or a soak: `run.js --soak MINUTES`. */
async function main(args: readonly string[]): Promise<number> {
  const started = performance.now();
  const { values, positionals: wanted } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { short: { type: 'boolean' }, soak: { type: 'string' } },
  });
  const selected =
    values.soak === undefined
      ? cases.filter(({ id }) => wanted.length === 0 || wanted.includes(id))
      : [soak(Number(values.soak))];
  const checks: Check[] = [];
  const shared = {
    short: values.short === true,
    checks,
    scrapes: {
      scrapes: 0,
      slowestMs: 0,
      notOk: [],
      lostWithWorker: 0,
      refusedAtEnd: 0,
      fell: [],
      deadGauges: [],
    },
  };
  const runOne = async (fault: FaultCase): Promise<void> => {
    const context = new Context(fault.id, shared);
    // A case that breaks off has missed its bar; the others go on.
    await fault.run(context).catch((error: unknown) => {
      console.error(error);
      context.check('the case', String(error), 'runs to its end', false);
    });
  };
  for (const fault of selected.filter(({ background }) => background !== true)) await runOne(fault);
  await Promise.all(selected.filter(({ background }) => background === true).map(runOne));
  await disposeAll();
  if (wanted.length === 0 && values.soak === undefined)
    checkDuration(new Context('run', shared), performance.now() - started);
  printTable(checks);
  const count = (result: Check['result']): number => checks.filter((check) => check.result === result).length;
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(
    `\n${count('passed')} passed, ${count('failed')} failed, ${count('slow')} slow, ${count('not run')} not run, ${seconds} s`,
  );
  return count('failed') === 0 ? 0 : 1;
}

const limitMs = 600_000;

function checkDuration(context: Context, ms: number): void {
  context.checkSpeed('all cases', `${(ms / 1000).toFixed(0)} s`, `≤ ${limitMs / 1000} s`, ms <= limitMs);
}

function printTable(checks: readonly Check[]): void {
  console.log('\n| Case | Stimulus | Figure | Bar | |\n|---|---|---|---|---|');
  const order = [...new Set(cases.map(({ id }) => id)), 'run'];
  const sorted = checks.toSorted((a, b) => order.indexOf(a.id) - order.indexOf(b.id));
  for (const { id, stimulus, figure, bar, result } of sorted)
    console.log(`| ${[id, stimulus, figure.trim(), bar, result].join(' | ')} |`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
void main(process.argv.slice(2)).then((code) => process.exit(code));
