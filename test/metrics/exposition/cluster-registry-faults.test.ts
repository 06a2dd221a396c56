import * as fc from 'fast-check';
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Counter, Gauge, Registry } from 'prom-client';
import { Ledger, ledgerPath } from '../../../src/metrics/ledger/ledger';
import { RequestMetrics } from '../../../src/metrics/request-metrics';
import { fallen, parseExposition, total } from '../../support/exposition';
import { memoryFolder } from '../ledger/memory-folder';
import { primaryOf, values, Worker } from './worker';

// Real files and processes: on a busy machine they take their time.
jest.setTimeout(60_000);

let folder: string;

beforeEach(() => (folder = memoryFolder()));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('a row whose file breaks is counted once, half of it read from the file and half from a snapshot', async () => {
  const primary = primaryOf({ folder });
  // The lowest free descriptor is the one that the ledger is going to get.
  const descriptor = openSync(__filename, 'r');
  closeSync(descriptor);
  const worker = new Worker(primary, 1, folder, false);
  expect(fstatSync(descriptor).ino).toBe(statSync(worker.ledger.path).ino);
  worker.serve();
  worker.serve();
  expect(await values(primary, 'p_request_count')).toEqual([2]);
  closeSync(descriptor);
  worker.serve();
  expect(worker.ledger.errors).toBe(1);
  expect(await values(primary, 'p_request_count', 'p_request_latency_seconds_sum')).toEqual([3, 1.5]);
  await worker.send();
  primary.removeWorker(1);
  expect(await values(primary, 'p_request_count', 'p_request_latency_seconds_sum')).toEqual([3, 1.5]);
});

it('a file that cannot be removed does not keep a worker from being removed', async () => {
  const primary = primaryOf({ folder });
  const worker = new Worker(primary, 1, folder, false);
  worker.serve();
  expect(await values(primary, 'p_request_count')).toEqual([1]);
  rmSync(worker.ledger.path);
  mkdirSync(worker.ledger.path);
  worker.serve();
  primary.removeWorker(1);
  expect(await values(primary, 'p_request_count')).toEqual([2]);
});

type Operation = [what: string, which: number, endpoint: string, memory: boolean];

/** Runs these on a primary and its workers, and gives what was wrong at a scrape: what fell, or was not the number made. */
async function wrongs(operations: readonly Operation[], run: string): Promise<unknown[]> {
  const primary = primaryOf({ folder: run, timeoutMs: 1 });
  const workers: Worker[] = [];
  const found: unknown[] = [];
  let before = parseExposition(await primary.clusterMetrics());
  let made = 0;
  for (const [i, [what, which, endpoint, memory]] of operations.entries()) {
    const worker = workers[which % Math.max(1, workers.length)];
    if (what === 'add') workers.push(new Worker(primary, i, memory ? join(run, 'absent') : run));
    if (!worker) continue;
    if (what === 'serve') {
      worker.serve(endpoint, 0.25);
      worker.jobs.inc();
      made++;
    } else if (what === 'hang') worker.silent = !worker.silent;
    else if (what === 'late') primary.receiveSnapshot(worker.generation, 0, await worker.snapshot());
    else if (what === 'kill') {
      // Counts that only the worker itself holds are lost with it, but for its last snapshot.
      await worker.send(1e6 + i);
      primary.removeWorker(worker.generation);
      workers.splice(workers.indexOf(worker), 1);
    } else if (what === 'scrape') {
      for (const one of workers) await one.send(i);
      const now = parseExposition(await primary.clusterMetrics());
      const counts = ['p_request_count', 'p_request_latency_seconds_count', 'jobs'].map((n) => total(now, n));
      found.push(...fallen(before, now), ...counts.filter((count) => count !== made));
      before = now;
    }
  }
  return found;
}

it('whatever happens in whatever order, every count is there once and nothing falls', async () => {
  const operation: fc.Arbitrary<Operation> = fc.tuple(
    fc.constantFrom('serve', 'serve', 'serve', 'add', 'scrape', 'scrape', 'late', 'kill', 'hang'),
    fc.nat({ max: 3 }),
    fc.constantFrom('/a', '/b', '/c'),
    fc.boolean(),
  );
  const histories = fc.array(operation, { minLength: 10, maxLength: 80 });
  await fc.assert(
    fc.asyncProperty(histories, async (operations) => {
      const run = memoryFolder();
      const found = await wrongs(operations, run);
      rmSync(run, { recursive: true, force: true });
      expect(found).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

it('takes no ledger of another generation, with other buckets, or damaged', async () => {
  const primary = primaryOf({ folder });
  const options = { folder, onError: () => {} };
  const foreign = Ledger.open({ ...options, generation: 1, buckets: [0.1, 1] });
  const metrics = new RequestMetrics([0.1, 1], foreign);
  metrics.endpoint('/').observe('GET', 200, 1);
  rmSync(ledgerPath(folder, 2), { force: true });
  writeFileSync(ledgerPath(folder, 2), 'not a ledger');
  new RequestMetrics([5], Ledger.open({ ...options, generation: 3, buckets: [5] }))
    .endpoint('/')
    .observe('GET', 200, 1);
  for (const generation of [2, 3]) primary.addWorker(generation, () => false);
  expect(await values(primary, 'p_request_count', 'p_scrape_workers_missing')).toEqual([0, 0]);
  for (const generation of [2, 3]) primary.removeWorker(generation);
  expect(readdirSync(folder)).toEqual(['1.details', '1.ledger']);
});

it('ignores rows in a snapshot that have other buckets', async () => {
  const primary = primaryOf({ folder });
  primary.addWorker(1, () => false);
  const labels = { method: 'GET', endpoint: '/', status: 200 };
  const rows = [{ labels, cells: [1, 1, 1, 1, 1] }];
  primary.receiveSnapshot(1, 0, JSON.stringify({ metrics: [], rows }));
  expect(await values(primary, 'p_request_count')).toEqual([0]);
});

describe('asking', () => {
  it('does not wait for a worker that can’t answer yet, and misses one that can’t be asked', async () => {
    const primary = primaryOf({ folder });
    primary.addWorker(1, () => false);
    expect(await values(primary, 'p_scrape_workers_missing')).toEqual([0]);
    primary.addWorker(2, () => {
      throw new Error('channel closed');
    });
    expect(await values(primary, 'p_scrape_workers_missing')).toEqual([1]);
  });

  it('does not take a late answer for one to this request: its counters count, its gauges do not', async () => {
    const primary = primaryOf({ folder });
    const worker = new Worker(primary, 1, folder);
    await values(primary);
    worker.silent = true;
    worker.load.set(7);
    worker.jobs.inc(3);
    const names = ['p_scrape_workers_missing', 'load', 'jobs'];
    const gathering = values(primary, ...names);
    await worker.send(0.5);
    expect(await gathering).toEqual([1, 0, 3]);
  });

  it('takes no snapshot that is older than what it knows', async () => {
    const primary = primaryOf({ folder });
    const worker = new Worker(primary, 1, folder);
    worker.jobs.inc(3);
    const old = await worker.snapshot();
    worker.jobs.inc(2);
    await worker.send(0.75);
    primary.receiveSnapshot(1, 0.5, old);
    expect(await values(primary, 'jobs')).toEqual([5]);
    await worker.send();
    primary.receiveSnapshot(1, 9, old);
    expect(await values(primary, 'jobs')).toEqual([5]);
  });

  it('asks a worker no more after its final snapshot, and does not miss it', async () => {
    const primary = primaryOf({ folder });
    const worker = new Worker(primary, 1, folder);
    worker.jobs.inc(2);
    worker.load.set(1);
    await worker.send();
    worker.silent = true;
    expect(await values(primary, 'p_scrape_workers_missing', 'load', 'jobs')).toEqual([0, 0, 2]);
  });
});

it('shows the primary’s own metrics among the others', async () => {
  const registry = new Registry();
  const exits = new Counter({ name: 'p_worker_exits_total', help: 'h', registers: [registry] });
  const primary = primaryOf({ folder, registry });
  exits.inc(4);
  expect(await values(primary, 'p_worker_exits_total')).toEqual([4]);
  exits.inc();
  expect(await values(primary, 'p_worker_exits_total')).toEqual([5]);
});

it('survives a metric of a worker that has the name of one of our own', async () => {
  const primary = primaryOf({ folder });
  const worker = new Worker(primary, 1, folder);
  worker.serve();
  new Gauge({ name: 'p_request_count', help: 'h', registers: [worker.registry] }).set(99);
  new Gauge({ name: 'p_scrape_workers_missing', help: 'h', registers: [worker.registry] }).set(99);
  new Gauge({ name: 'p_workers', help: 'h', registers: [worker.registry] }).set(99);
  expect(await values(primary, 'p_request_count', 'p_scrape_workers_missing', 'p_workers')).toEqual([
    1, 0, 0,
  ]);
});

it('numbers workers by the smallest free number, so that their series stay few over any number of them', async () => {
  const primary = primaryOf({ folder, perWorker: true });
  const workers: Worker[] = [];
  for (let generation = 1; generation <= 40; generation++) {
    if (workers.length === 3) primary.removeWorker(workers.splice(generation % 3, 1)[0]?.generation ?? 0);
    workers.push(new Worker(primary, generation, folder));
  }
  const { samples } = parseExposition(await primary.clusterMetrics()).get('load') ?? {};
  expect(samples?.map(({ labels }) => labels['worker']).toSorted()).toEqual(['1', '2', '3']);
});

it('gives the event loop back while it renders', async () => {
  const primary = primaryOf({ folder });
  const worker = new Worker(primary, 1, folder);
  for (let i = 0; i < 3_000; i++) worker.serve(`/${i}`);
  let turns = 0;
  let done = false;
  const count = (): void => {
    turns++;
    if (!done) setImmediate(count);
  };
  count();
  const text = await primary.clusterMetrics().finally(() => (done = true));
  expect(text.match(/^p_request_count\{/gm)).toHaveLength(3_000);
  expect(turns).toBeGreaterThan(3);
});
