import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { eventually } from '../support/eventually';
import { Load, type LoadReport } from '../support/load-client';
import { Prometheus, type Series } from '../support/prometheus';
import { Service } from '../support/service';

const ROOT = resolve(__dirname, '../..');
/** The interval and the deadline of a scrape: long enough for a machine that runs other tests meanwhile. */
const SCRAPE_SECONDS = 2;
const RATE = 200;
const REQUESTS = 5000;
const PATHS = ['/', '/hello/Ada', '/hello/Grace', '/no-such-path'];
const COUNTED = 'flask_app_request_count{endpoint=~"/|/hello/{name}|unmatched",method="GET"}';

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly refId: string }[];
}

const dashboard = JSON.parse(readFileSync(resolve(ROOT, 'deploy/grafana/dashboard.json'), 'utf8'));
const panels: readonly Panel[] = dashboard.panels;
const variables: readonly { name: string; query: { query: string } | string }[] = dashboard.templating.list;
const groups: readonly { rules: { record?: string; labels?: Record<string, string> }[] }[] = parse(
  readFileSync(resolve(ROOT, 'deploy/prometheus/rules.yml'), 'utf8'),
).groups;
const rules = groups.flatMap((group) => group.rules);
const records = rules.filter(({ record }) => record !== undefined);
const queries = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, refId }) => [`${title} ${refId}`, expr] as const),
);

/** Replaces variables as Grafana does with "All" of every variable and this scrape interval. */
function substituted(expr: string): string {
  const values: Record<string, string> = {
    job: '.*',
    instance: '.*',
    endpoint: '.*',
    latency: 'flask_app_request_latency_seconds_bucket',
    __rate_interval: `${4 * SCRAPE_SECONDS}s`,
  };
  return expr.replaceAll(/\$(\w+)/g, (_, name: string) => values[name] ?? `unknown variable ${name}`);
}

let service: Service;
let prometheus: Prometheus;
let load: Load;
let report: LoadReport;
/** Epoch seconds of the load's start and end, and of the kill. */
const at = { start: 0, kill: 0, end: 0 };
/** Answers that the client had received, by epoch second. */
const received: { time: number; answered: number }[] = [];

const seconds = () => Date.now() / 1000;
const valuesOf = (series: readonly Series[]) =>
  series.flatMap(({ values }) => values.map(([, value]) => value));

/** The total of what Prometheus has scraped of the paths under load. */
const counted = () => prometheus.value(`sum(${COUNTED})`);

/** Just after a scrape: one that is in flight on the killed worker would be lost, as any request of a client is. */
async function nextScrape(): Promise<void> {
  const last = await prometheus.value('max(timestamp(up))');
  await eventually('a scrape', 10_000, async () => (await prometheus.value('max(timestamp(up))')) > last);
}

const pathOf = (index: number) => PATHS[index % PATHS.length] ?? '/';

async function runLoad(): Promise<LoadReport> {
  load = new Load({ port: service.port, rate: RATE, connections: 20, path: pathOf });
  const watch = setInterval(() => received.push({ time: seconds(), answered: load.answered }), 50);
  // As whoever sends the requests asks. One that a killed worker has accepted gets no answer.
  const probe = setInterval(() => void service.get('/readyz').catch(() => undefined), 500);
  try {
    await eventually('a third of the load', 90_000, () => load.answered >= REQUESTS / 3);
    await nextScrape();
    at.kill = seconds();
    process.kill(service.workers()[0] ?? Number.NaN, 'SIGKILL');
    await eventually('all of the load', 120_000, () => load.answered >= REQUESTS);
    return await load.stop();
  } finally {
    clearInterval(probe);
    clearInterval(watch);
  }
}

beforeAll(async () => {
  service = await Service.start({ env: { METRICS_PER_WORKER: 'on' } });
  // Series of unknown paths are not foreseen: Prometheus has to see them before their first increase.
  for (const path of PATHS) await service.get(path);
  prometheus = await Prometheus.start(
    resolve(ROOT, 'deploy/prometheus/prometheus.yml'),
    `127.0.0.1:${service.port}`,
    `${SCRAPE_SECONDS}s`,
  );
  await eventually('the first requests are scraped', 30_000, async () => (await counted()) === PATHS.length);
  await nextScrape();
  at.start = seconds();
  report = await runLoad();
  at.end = seconds();
  // The first of them may have begun before the last answer; the others make the line flat again.
  for (let scrape = 0; scrape < 3; scrape++) await nextScrape();
}, 300_000);

afterAll(async () => {
  await prometheus?.dispose();
  await service?.dispose();
  // If the test has failed before, this ends the load: without the service all of it is refused.
  await load?.stop();
});

test('a worker was killed and replaced, and Prometheus knows', async () => {
  expect(await prometheus.value('flask_app_worker_exits_total{reason="killed"}')).toBe(1);
  expect(await prometheus.value('flask_app_workers{state="ready"}')).toBe(2);
});

test('the target was up at every scrape', async () => {
  expect(prometheus.scrapeErrors()).toEqual([]);
  expect(await prometheus.value('min_over_time(up[5m])')).toBe(1);
  const scrapes = (at.end - at.start) / SCRAPE_SECONDS;
  expect(await prometheus.value('count_over_time(up[5m])')).toBeGreaterThan(scrapes - 1);
});

test('the counter is what the client received; a lost request may have been answered', async () => {
  const { answered } = report.outcomes;
  const lost = report.sent - answered;
  const counter = (await counted()) - PATHS.length;
  expect(report.sent).toBeGreaterThanOrEqual(REQUESTS);
  expect(lost).toBeLessThanOrEqual(20);
  expect(counter).toBeGreaterThanOrEqual(answered);
  expect(counter).toBeLessThanOrEqual(answered + lost);
});

test('increase() is what the client received, within what Prometheus extrapolates', async () => {
  const [series] = await prometheus.query(`sum(increase(${COUNTED}[5m]))`);
  const samples = await prometheus.value(`min(count_over_time(${COUNTED}[5m]))`);
  const { answered } = report.outcomes;
  const increase = series?.values[0]?.[1] ?? Number.NaN;
  expect(increase).toBeGreaterThanOrEqual(answered);
  // Prometheus extrapolates at most 1.1 scrape intervals beyond the first and the last sample
  // (promql/functions.go, extrapolatedRate).
  expect(increase).toBeLessThanOrEqual((report.sent * (samples - 1 + 2.2)) / (samples - 1));
});

test('no counter and no bucket of the service ever fell', async () => {
  const match = '{__name__=~"flask_app_.*_(count|sum|bucket|total)|process_cpu_.*|nodejs_gc_.*"}';
  const names = await prometheus.labelValues('__name__', match);
  expect(names).toContain('flask_app_request_latency_seconds_bucket');
  for (const name of names) expect(await prometheus.query(`resets(${name}[5m]) > 0`)).toEqual([]);
});

test('rate() has no spike at the kill: at no time more than the client received', async () => {
  const window = 3 * SCRAPE_SECONDS;
  const rates = await prometheus.queryRange(`sum(rate(${COUNTED}[${window}s]))`, at.start, at.end, 0.5);
  const atKill = rates[0]?.values.filter(([time]) => Math.abs(time - at.kill) <= window) ?? [];
  expect(atKill.length).toBeGreaterThan(0);
  // The samples in a window span a scrape interval less than it. The load is bursty where the machine is busy.
  const clientPeak = Math.max(...received.map(({ time }) => clientRate(time, window - SCRAPE_SECONDS)));
  expect(Math.max(...valuesOf(rates))).toBeLessThanOrEqual(1.25 * clientPeak);
});

/** Requests a second that the client received in the seconds before `time`. */
function clientRate(time: number, window: number): number {
  return (answeredBy(time) - answeredBy(time - window)) / window;
}

function answeredBy(time: number): number {
  return received.findLast((sample) => sample.time <= time)?.answered ?? 0;
}

test('every rule is evaluated without an error, and no alert fires', async () => {
  const { broken, firing, evaluated } = await prometheus.rules();
  expect(broken).toEqual([]);
  expect(firing).toEqual([]);
  expect(evaluated).toBe(rules.length);
});

test.each(records.map(({ record = '', labels = {} }) => [record, labels] as const))(
  'the recording rule %s %j has data',
  async (record, labels) => {
    const matchers = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
    const values = valuesOf(await prometheus.query(`${record}{${matchers.join(',')}}`));
    expect(values.length).toBeGreaterThan(0);
    expect(values.filter(Number.isNaN)).toEqual([]);
  },
);

test.each(queries)('the panel query "%s" has data', async (_, expr) => {
  const series = await prometheus.queryRange(substituted(expr), at.start, at.end, 1);
  expect(valuesOf(series).filter((value) => !Number.isNaN(value)).length).toBeGreaterThan(0);
});

test('what did not happen is 0, not missing', async () => {
  const valueOf = async (panel: string) => {
    const expr = queries.find(([name]) => name === panel)?.[1] ?? `no panel ${panel}`;
    return valuesOf(await prometheus.query(substituted(expr)));
  };
  expect(await valueOf('Failed A')).toEqual([0]);
  expect(await valueOf('Errors by class A')).toEqual([0]);
  expect(await valueOf('Alerts firing A')).toEqual([0]);
  expect(await valueOf('Availability burn rate A')).toEqual([0]);
  expect(await prometheus.value('flask_app_worker_exits_total{reason="hung"}')).toBe(0);
  expect(await prometheus.value('flask_app_ledger_errors_total')).toBe(0);
  expect(await prometheus.value('slo:bad_events:rate5m{sli="availability"}')).toBe(0);
});

test('each worker has gauges of its own (METRICS_PER_WORKER=on)', async () => {
  const memory = await prometheus.query('sum by (worker) (process_resident_memory_bytes)');
  expect(memory.filter(({ metric }) => metric['worker'] !== undefined)).toHaveLength(2);
});

test.each([
  ['job', ['flask_app']],
  ['instance', [() => `127.0.0.1:${service.port}`]],
  ['endpoint', ['/', '/hello/{name}', 'unmatched']],
])('the variable %s offers what there is', async (name, expected) => {
  const query = variables.find((variable) => variable.name === name)?.query;
  const text = typeof query === 'string' ? query : query?.query;
  const [, match = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(substituted(text ?? '')) ?? [];
  const values = await prometheus.labelValues(label, match);
  for (const value of expected) expect(values).toContain(typeof value === 'string' ? value : value());
});
