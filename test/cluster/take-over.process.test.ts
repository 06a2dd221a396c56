import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually';
import { fallen, type Family, total } from '../support/exposition';
import { memoryBase } from '../support/memory-base';
import {
  asText,
  type DecodedFamily,
  labelsOf,
  laterStarts,
  nativeCounts,
  scrapeProtobuf,
  startsIn,
} from '../support/metric-families';
import { disposeAll, freePort, Service, type ServiceOptions } from '../support/service';

// Real files and processes: on a busy machine they take their time.
jest.setTimeout(300_000);

const HELLO = { endpoint: '/hello/{name}' };
const ANSWERED = /^flask_app_request_.*(?:"\/hello\/{name}",(?:http_status="200",)?method="GET"|"unmatched")/;

let ledgerDir: string;
let env: Record<string, string>;

beforeEach(async () => {
  ledgerDir = mkdtempSync(join(memoryBase, 'take-over-test-'));
  env = { LEDGER_DIR: ledgerDir, PORT: String(await freePort()), SHUTDOWN_DELAY_MS: '0', ACCESS_LOG: 'off' };
});
afterEach(async () => {
  await disposeAll();
  rmSync(ledgerDir, { recursive: true, force: true });
});

const FOREIGN = {
  program: join(process.cwd(), 'test/fixtures/foreign-cluster.js'),
  args: [join(process.cwd(), 'test/fixtures/greetings/main.js')],
};

const CLUSTERS: readonly (readonly [string, number, ServiceOptions])[] = [
  ['a primary', 20, {}],
  ['a primary that serves the metrics itself', 10, { env: { METRICS_PORT: 'free' } }],
  ['instances of a cluster that is not ours, such as PM2’s', 20, FOREIGN],
];

test.each(CLUSTERS)(
  '%s, killed %i times while counts are taken over: each is there once',
  async (_, kills, options) => {
    if (options.env) Object.assign(env, { METRICS_PORT: String(await freePort()) });
    const metricsPort = Number(env['METRICS_PORT'] ?? env['PORT']);
    const begin = () => Service.start({ ...options, env, readyMs: 0 });
    const untilReady = async (service: Service) => {
      const started = performance.now();
      await eventually('both are ready', 30_000, async () => {
        const now = await service.scrape(metricsPort).catch(() => undefined);
        return now && total(now, 'flask_app_workers', { state: 'ready' }) === 2;
      });
      return performance.now() - started;
    };
    const first = await begin();
    const readyMs = await untilReady(first);
    for (let i = 0; i < 50; i += 1) await first.get(`/hello/${i}`);
    await first.get('/nowhere');
    const before = await first.scrape(metricsPort);
    const starts = startsIn(await scrapeProtobuf(metricsPort));
    expect([...starts.keys()].filter((series) => ANSWERED.test(series))).toHaveLength(4);
    first.kill();
    await eventually('the end', 10_000, () => first.processes().length === 0);
    leaveCounts();
    for (let kill = 0; kill < kills; kill += 1) {
      const service = await begin();
      // The moment is what the test is about.
      await new Promise((resolve) => setTimeout(resolve, 1.3 * Math.random() * Math.max(300, readyMs)));
      if (kill % 2 === 0) service.signal('SIGKILL');
      else service.kill();
      await eventually('the end', 10_000, () => service.processes().length === 0);
    }
    const last = await begin();
    await untilReady(last);
    const now = await last.scrape(metricsPort);
    expect(fallen(before, now)).toEqual([]);
    expect(total(now, 'flask_app_request_count', HELLO)).toBe(50);
    expect(total(now, 'flask_app_request_latency_seconds_count', HELLO)).toBe(50);
    expect(total(now, 'flask_app_request_count', { endpoint: 'unmatched' })).toBe(1);
    expect(left(now, 'flask_app_request_count')).toBe(40_000);
    const families = await scrapeProtobuf(metricsPort);
    expect(fallen(before, asText(families))).toEqual([]);
    expect(latencyOf(families, '/hello/{name}')).toEqual({ count: 50, native: 50 });
    expect(laterStarts(starts, startsIn(families), ANSWERED)).toEqual([]);
  },
);

test.each(CLUSTERS)(
  '%s: the first answer to a scrape has all counts that are taken over',
  async (_, __, options) => {
    if (options.env) Object.assign(env, { METRICS_PORT: String(await freePort()) });
    const first = await Service.start({ ...options, env });
    first.kill();
    await eventually('the end', 10_000, () => first.processes().length === 0);
    leaveCounts();
    const next = await Service.start({ ...options, env, readyMs: 0 });
    const port = Number(env['METRICS_PORT'] ?? env['PORT']);
    const answer = await eventually('an answer', 30_000, () => next.scrape(port));
    expect(left(answer, 'flask_app_request_count')).toBe(40_000);
    expect(left(answer, 'flask_app_request_latency_seconds_count')).toBe(40_000);
    expect(total(answer, 'flask_app_worker_exits_total')).toBeGreaterThanOrEqual(8);
  },
);

/** Leaves the counts of eight killed workers in the service's folder, in 1,000 rows each. */
function leaveCounts(): void {
  const folder = join(ledgerDir, readdirSync(ledgerDir)[0] ?? '');
  const program = join(process.cwd(), 'bench/servers/leftovers.mjs');
  execFileSync(process.execPath, [program, folder, '8', '1000']);
}

/** Adds up the samples of this name that `leaveCounts` has left. */
function left(families: ReadonlyMap<string, Family>, name: string): number {
  const samples = [...families.values()].flatMap((family) => family.samples);
  return samples
    .filter((sample) => sample.name === name && sample.labels['endpoint']?.startsWith('/resources/'))
    .reduce((sum, { value }) => sum + value, 0);
}

/** How many requests the classic and the native buckets of an endpoint's latency have. */
function latencyOf(families: readonly DecodedFamily[], endpoint: string) {
  const family = families.find(({ name }) => name === 'flask_app_request_latency_seconds');
  const metric = family?.metric.find(({ label }) => labelsOf(label)['endpoint'] === endpoint);
  const histogram = metric?.histogram ?? { sampleSum: NaN };
  const native = [histogram.zeroCount ?? 0, ...nativeCounts(histogram).values()];
  return { count: histogram.sampleCount, native: native.reduce((sum, count) => sum + count, 0) };
}
