import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../support/eventually';
import { total } from '../support/exposition';
import { Load, failed, percentile } from '../support/load-client';
import type { Service } from '../support/service';
import { GATHERING_INTERVAL_MS, type Context, type FaultCase } from './context';

const workers = 10;

function filesBelow(folder: string): number {
  return readdirSync(folder, { recursive: true }).length;
}

/** The median of some scrapes that follow each other slowly. */
async function scrapeMs(service: Service): Promise<number> {
  const durations: number[] = [];
  for (let n = 0; n < 21; n += 1) {
    // A scrape that comes sooner waits for its turn, and its duration says nothing.
    await delay(1.5 * GATHERING_INTERVAL_MS);
    const at = performance.now();
    await service.scrape();
    durations.push(performance.now() - at);
  }
  return percentile(
    durations.toSorted((a, b) => a - b),
    0.5,
  );
}

/** Kills all workers at a time, again and again: what the dead leave must not add up. */
async function churn(context: Context): Promise<void> {
  const service = await context.faulty({ WEB_CONCURRENCY: String(workers) });
  const churned = context.times(500, 40);
  for (let n = 0; n < 200; n += 1) await service.get('/');
  const before = { files: filesBelow(service.ledgerDir), ms: await scrapeMs(service) };
  for (let n = 0; n < churned / workers; n += 1) {
    const old = service.workers();
    for (const pid of old) process.kill(pid, 'SIGKILL');
    await eventually('full strength', 30_000, async () => {
      if (service.workers().some((pid) => old.includes(pid))) return false;
      return total(await service.scrape(), 'flask_app_workers', { state: 'ready' }) === workers;
    });
    await service.get('/');
    // A worker that is killed sooner is taken for one of a crash loop, and its replacement waits.
    await delay(600);
  }
  const after = { files: filesBelow(service.ledgerDir), ms: await scrapeMs(service) };
  const counted = total(await service.scrape(), 'flask_app_request_count', { endpoint: '/' });
  const expected = 200 + churned / workers;
  context.checkSpeed(
    `${churned} churned workers`,
    `files ${before.files} → ${after.files}, scrape ${before.ms.toFixed(1)} → ${after.ms.toFixed(1)} ms, ${counted} of ${expected} counted`,
    'as many files, scrape ≤ 1.5 × and 5 ms, all counted',
    after.ms <= before.ms * 1.5 + 5,
    after.files === before.files && counted === expected,
  );
  await service.dispose();
}

/** A command that mounts memory over the ledger folder, in a namespace of the service's own, and prepares it. */
function mounted(options: string, prepare: string): string[] {
  const script = `mount -t tmpfs -o ${options} none "$LEDGER_DIR" && ${prepare} && exec "$0" "$@"`;
  return ['unshare', '-rm', 'sh', '-c', script, process.execPath];
}

function canMount(): boolean {
  try {
    execFileSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs none /mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const storages = [
  ['full from the start', 'size=64k', '(head -c 65536 /dev/zero > "$LEDGER_DIR/filler" || true) 2>/dev/null'],
  ['full later', 'size=16k', 'true'],
  ['read-only', 'ro,size=64k', 'true'],
] as const;

/** So many buckets that a page of memory has room for only a few rows. */
const buckets = Array.from({ length: 100 }, (_, n) => (n + 1) / 100).join();

async function badStorage(context: Context, name: string, command: readonly string[]): Promise<void> {
  const service = await context.faulty({ METRICS_BUCKETS: buckets }, { command });
  const paths = [
    '/',
    '/many',
    '/idle',
    '/slow?ms=1',
    '/big?kb=1',
    '/whoami',
    '/upload',
    '/none',
    '/stream?chunks=1',
  ];
  const load = new Load({
    port: service.port,
    rate: 300,
    connections: 20,
    path: (index) => paths[index % paths.length] ?? '/',
  });
  await eventually('load', 20_000, () => load.answered > 600);
  const report = await load.stop();
  const families = await service.scrape();
  const counter = 'flask_app_request_count';
  const other = ['/metrics', '/readyz'].reduce(
    (sum, endpoint) => sum + total(families, counter, { endpoint }),
    0,
  );
  const counted = total(families, counter) - other;
  // This request comes so soon after a scrape that workers need not be asked again,
  // unless their ledgers have failed.
  await service.get('/');
  const soon =
    total(await service.scrape(), counter, { endpoint: '/' }) - total(families, counter, { endpoint: '/' });
  const said = service.stdout.split('\n').filter((line) => /would (?:be lost|lose them)/.test(line)).length;
  const errors = total(families, 'flask_app_ledger_errors_total');
  context.check(
    `ledger storage ${name}`,
    `${failed(report)} of ${report.sent} failed, ${counted} counted, ${soon} of 1 in a scrape at once, ${errors} errors shown, ${said} lines in the log`,
    '0 failed, all counted, errors shown, 1 line or one a worker',
    failed(report) === 0 && counted === report.sent && soon === 1 && errors > 0 && said >= 1 && said <= 2,
  );
  await service.dispose();
}

/** Tests the files that workers leave behind, and storage that takes nothing. */
export const storage: FaultCase = {
  id: 'storage',
  async run(context: Context) {
    await churn(context);
    const can = canMount();
    for (const [name, options, prepare] of storages) {
      if (can) await badStorage(context, name, mounted(options, prepare));
      else
        context.notRun(`ledger storage ${name}`, 'this user may not mount memory in a namespace of its own');
    }
  },
};
