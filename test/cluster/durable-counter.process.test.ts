import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CountingClient } from '../support/counting-client';
import { eventually } from '../support/eventually';
import { type Family, fallen, total } from '../support/exposition';
import { asText, scrapeProtobuf, startsIn } from '../support/metric-families';
import { memoryBase } from '../support/memory-base';
import { disposeAll, freePort, Service, type ServiceOptions } from '../support/service';

// Real files and processes: on a busy machine they take their time.
jest.setTimeout(300_000);

const APP = join(process.cwd(), 'test/fixtures/durable.js');
const FOREIGN = join(process.cwd(), 'test/fixtures/foreign-cluster.js');

let ledgerDir: string;
let env: Record<string, string>;

beforeEach(async () => {
  ledgerDir = mkdtempSync(join(memoryBase, 'durable-test-'));
  env = { LEDGER_DIR: ledgerDir, PORT: String(await freePort()), SHUTDOWN_DELAY_MS: '0', ACCESS_LOG: 'off' };
});
afterEach(async () => {
  await disposeAll();
  rmSync(ledgerDir, { recursive: true, force: true });
});

const modes: readonly [string, number, ServiceOptions][] = [
  ['our cluster', 20, { program: APP }],
  ['a cluster that is not ours, such as PM2’s', 10, { program: FOREIGN, args: [APP] }],
];

test.each(modes)(
  'in %s, %i kills and a restart lose nothing of what an app counts',
  async (_, kills, options) => {
    let service = await Service.start({ ...options, env });
    const client = new CountingClient(service.port, '/job');
    const killed = new Set<number>();
    let before: ReadonlyMap<string, Family> = new Map();
    const scrape = async () => {
      const now = await service.scrape();
      expect(fallen(before, now)).toEqual([]);
      before = now;
      return now;
    };
    for (let kill = 0; kill < kills; kill += 1) {
      const asked = client.answered + client.lost;
      const until = asked + 5 + 60 * Math.random();
      await eventually('requests', 30_000, () => client.answered + client.lost > until);
      const victim = await eventually('a worker to kill', 20_000, () => {
        // One that is killed already may take a while to end, and is listed until then.
        const living = service.workers().filter((pid) => !killed.has(pid));
        return living[Math.floor(Math.random() * living.length)];
      });
      killed.add(victim);
      process.kill(victim, 'SIGKILL');
      if (kill % 4 === 0) await eventually('a scrape', 10_000, () => scrape().catch(isRefused));
    }
    await client.stop();
    const all = total(await eventually('a scrape', 20_000, () => scrape().catch(isRefused)), 'jobs_total');
    expect(all).toBeGreaterThanOrEqual(client.answered);
    expect(all).toBeLessThanOrEqual(client.answered + client.lost);
    expect(client.answered).toBeGreaterThan(10 * kills);
    const starts = startsIn(await scrapeProtobuf(service.port));
    service.kill();
    await eventually('the end', 10_000, () => service.processes().length === 0);
    service = await Service.start({ ...options, env });
    const now = await eventually('a scrape', 20_000, () => scrape().catch(isRefused));
    expect(total(now, 'jobs_total', { kind: 'mail' })).toBe(all);
    expect(total(now, 'runs_total')).toBe(all / 2);
    const families = await scrapeProtobuf(service.port);
    expect(total(asText(families), 'jobs_total', { kind: 'mail' })).toBe(all);
    const series = 'jobs_total{kind="mail"}';
    expect(startsIn(families).get(series)).toBe(starts.get(series));
  },
);

/** Nobody listens while all workers are killed, and a connection is lost with the worker that had it. */
function isRefused(err: unknown): false {
  if (/ECONNREFUSED|ECONNRESET|closed/.test(String(err))) return false;
  throw err;
}

test('with other labels after a restart or a reload it begins anew, and one line says so', async () => {
  let service = await Service.start({ program: APP, env });
  for (let i = 0; i < 3; i += 1) await service.get('/job');
  expect(total(await service.scrape(), 'jobs_total')).toBe(3);
  await service.stop();
  service = await Service.start({ program: APP, env: { ...env, DURABLE_LABELS: 'kind,by' } });
  await service.allReady(2);
  await service.get('/job');
  const now = await service.scrape();
  expect(total(now, 'jobs_total')).toBe(1);
  expect(total(now, 'runs_total')).toBe(2);
  expect(service.stdout.match(/"metric":"jobs_total"/g)).toHaveLength(1);
});
