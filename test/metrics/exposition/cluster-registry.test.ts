import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Counter, Histogram, Registry } from 'prom-client';
import {
  ClusterRegistry,
  type ClusterRegistryOptions,
} from '../../../src/metrics/exposition/cluster-registry';
import { LedgerReader } from '../../../src/metrics/ledger/ledger-reader';
import { monotonicTime } from '../../../src/metrics/exposition/monotonic-time';
import { rest } from '../../../src/metrics/event-loop-turns';
import { RequestMetrics } from '../../../src/metrics/request-metrics';
import { snapshotText } from '../../../src/metrics/snapshot/take-snapshot';
import { eventually } from '../../support/eventually';
import { parseExposition, total } from '../../support/exposition';
import { ONE_BY_ONE, orderOfTwo } from '../../support/turns';
import { memoryFolder } from '../ledger/memory-folder';
import { primaryOf, values, Worker } from './worker';

// Real files and processes: on a busy machine they take their time.
jest.setTimeout(60_000);

let folder: string;

beforeEach(() => (folder = memoryFolder()));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function clusterRegistry(options: Partial<ClusterRegistryOptions> = {}): ClusterRegistry {
  return primaryOf({ folder, ...options });
}

/** A worker, and how often it was asked. */
function counted(primary: ClusterRegistry): { worker: Worker; times: () => number } {
  const worker = new Worker(primary, 1, folder);
  const send = jest.spyOn(worker, 'send');
  return { worker, times: () => send.mock.calls.length };
}

describe('gathering', () => {
  it('adds up what all workers have', async () => {
    const primary = clusterRegistry();
    for (const generation of [1, 2, 3]) {
      const worker = new Worker(primary, generation, folder);
      worker.serve();
      worker.jobs.inc(generation);
      worker.load.set(generation);
    }
    expect(await values(primary, 'p_request_count', 'p_request_latency_seconds_sum', 'jobs', 'load')).toEqual(
      [3, 1.5, 6, 6],
    );
  });

  it('does not wait for a silent worker beyond the deadline: its counts stay, its gauges do not', async () => {
    const primary = clusterRegistry();
    const [hung, well] = [new Worker(primary, 1, folder), new Worker(primary, 2, folder)];
    for (const worker of [hung, well]) {
      worker.jobs.inc(5);
      worker.load.set(1);
    }
    const names = ['p_request_count', 'jobs', 'load', 'p_scrape_workers_missing'];
    expect(await values(primary, ...names)).toEqual([0, 10, 2, 0]);
    hung.silent = true;
    hung.serve();
    expect(await values(primary, ...names)).toEqual([1, 10, 1, 1]);
    hung.silent = false;
    // On a busy host it may miss the deadline of a scrape once more.
    await eventually('it is heard again', 20_000, async () => {
      const [, , load, missing] = await values(primary, ...names);
      return load === 2 && missing === 0;
    });
    expect(await values(primary, 'p_request_count', 'jobs')).toEqual([1, 10]);
  });

  it('shares the next gathering among those that come while one runs, and is complete for each of them', async () => {
    const primary = clusterRegistry({ timeoutMs: 60_000 });
    const worker = new Worker(primary, 1, folder);
    const asked: number[] = [];
    primary.addWorker(2, (id) => void asked.push(id));
    const running = primary.gather();
    await eventually('the first asking', 5_000, () => asked.length === 1);
    worker.jobs.inc();
    const shared = [primary.clusterMetrics(), primary.clusterMetrics(), primary.clusterMetrics()];
    for (const answers of [1, 2]) {
      await eventually('an asking', 5_000, () => asked.length === answers);
      primary.receiveSnapshot(2, asked[answers - 1], await worker.snapshot());
    }
    const texts = await Promise.all(shared);
    expect(new Set(texts).size).toBe(1);
    expect(asked).toHaveLength(2);
    expect(total(parseExposition(texts[0] ?? ''), 'jobs')).toBe(2);
    await running;
  });

  it('gives it to those who share it one by one', async () => {
    const primary = clusterRegistry();
    const running = primary.gather();
    expect(await orderOfTwo(() => primary.gather())).toEqual(ONE_BY_ONE);
    await running;
  });

  it('reads the ledgers while workers have yet to answer', async () => {
    const primary = clusterRegistry({ timeoutMs: 60_000 });
    const worker = new Worker(primary, 1, folder);
    worker.serve();
    worker.silent = true;
    const read = jest.spyOn(LedgerReader.prototype, 'read');
    const scrape = values(primary, 'p_request_count', 'jobs');
    await eventually('reading', 5_000, () => read.mock.calls.length > 0);
    worker.jobs.inc();
    await worker.send(0);
    expect(await scrape).toEqual([1, 1]);
    read.mockRestore();
  });

  it.each([
    [250, {}],
    [20, { intervalMs: 20 }],
  ])('begins %d ms after the one before at the soonest with %j', async (ms, options) => {
    const registry = new Registry();
    const primary = new ClusterRegistry({
      folder,
      prefix: 'p_',
      buckets: [],
      perWorker: false,
      registry,
      ...options,
    });
    // The first one begins after this, and knows only later as of when it is complete.
    const called = monotonicTime();
    await primary.gather();
    const { asOf } = await primary.gather();
    expect(asOf - called).toBeGreaterThanOrEqual(ms - 1);
  });

  it('tells as of when it is complete: after the call, before the first look at a worker', async () => {
    const primary = clusterRegistry();
    const called = monotonicTime();
    let asked = 0;
    primary.addWorker(1, () => {
      asked = monotonicTime();
      return false;
    });
    const { asOf } = await primary.gather();
    expect(asOf).toBeGreaterThanOrEqual(called);
    expect(asked).toBeGreaterThanOrEqual(asOf);
  });

  it('goes by prom-client’s name too', async () => {
    const primary = clusterRegistry();
    expect(await primary.clusterMetrics()).toBe((await primary.gather()).bytes.toString());
  });
});

describe('scrapes that come often', () => {
  it('share what a worker was asked for, and are complete in the counts of requests', async () => {
    const registry = new Registry();
    const exits = new Counter({ name: 'p_worker_exits_total', help: 'h', registers: [registry] });
    const primary = clusterRegistry({ maxAgeMs: 60_000, registry });
    const { worker, times } = counted(primary);
    for (let scrape = 1; scrape <= 3; scrape++) {
      worker.serve();
      worker.jobs.inc();
      exits.inc();
      expect(await values(primary, 'p_request_count', 'jobs', 'p_worker_exits_total')).toEqual([
        scrape,
        1,
        scrape,
      ]);
    }
    expect(times()).toBe(1);
  });

  it('ask again when the answers are too old', async () => {
    const primary = clusterRegistry({ maxAgeMs: 250 });
    const { worker } = counted(primary);
    expect(await values(primary, 'load')).toEqual([0]);
    worker.load.set(4);
    await eventually('the new value', 5_000, async () => (await values(primary, 'load'))[0] === 4);
  });

  it('ask a worker every time that can’t write its ledger', async () => {
    const primary = clusterRegistry({ maxAgeMs: 60_000 });
    const { worker, times } = counted(primary);
    await values(primary);
    worker.ledger.close();
    worker.serve();
    primary.ledgerFailed(1);
    expect(await values(primary, 'p_request_count')).toEqual([1]);
    worker.serve();
    expect(await values(primary, 'p_request_count')).toEqual([2]);
    expect(times()).toBe(3);
    primary.removeWorker(1);
    await values(primary);
    expect(times()).toBe(3);
  });

  it('ask again when a worker has become ready', async () => {
    const primary = clusterRegistry({ maxAgeMs: 60_000 });
    const { times } = counted(primary);
    await values(primary);
    const { load } = new Worker(primary, 2, folder);
    load.set(5);
    expect(await values(primary, 'load')).toEqual([0]);
    primary.workerReady();
    expect(await values(primary, 'load')).toEqual([5]);
    expect(times()).toBe(2);
  });

  it('ask again when a worker has become ready while the others were asked', async () => {
    const primary = clusterRegistry({ maxAgeMs: 60_000 });
    let times = 0;
    primary.addWorker(1, () => {
      if (++times === 1) primary.workerReady();
      return false;
    });
    for (let scrape = 1; scrape <= 3; scrape++) await primary.gather();
    expect(times).toBe(2);
  });

  it('are waited for where a ledger has failed, because they bring its counts', async () => {
    const primary = clusterRegistry({ timeoutMs: 60_000 });
    const metrics = new RequestMetrics([0.1, 1]);
    metrics.endpoint('/').observe('GET', 200, 0.05);
    const { rows } = metrics;
    const answer = async (id: number) => {
      // The ledgers would have been read by then.
      for (let pauses = 1; pauses <= 10; pauses++) await rest();
      primary.receiveSnapshot(1, id, await snapshotText(new Registry(), rows));
    };
    primary.addWorker(1, (id) => void answer(id));
    primary.ledgerFailed(1);
    expect(await values(primary, 'p_request_count')).toEqual([1]);
  });

  it('need not ask for the sake of a worker without a ledger that has said its last', async () => {
    const primary = clusterRegistry({ maxAgeMs: 60_000 });
    const { times } = counted(primary);
    const last = new Worker(primary, 2, folder);
    primary.ledgerFailed(2);
    await last.send();
    await values(primary);
    await values(primary);
    expect(times()).toBe(1);
  });

  it('have what a worker says last at once', async () => {
    const primary = clusterRegistry({ maxAgeMs: 60_000 });
    const { worker } = counted(primary);
    expect(await values(primary, 'jobs')).toEqual([0]);
    worker.jobs.inc(3);
    await worker.send();
    expect(await values(primary, 'jobs')).toEqual([3]);
  });

  it('have no gauge of a worker that is gone, and do not miss it, without asking anybody', async () => {
    const primary = clusterRegistry({ maxAgeMs: 60_000 });
    const { worker, times } = counted(primary);
    const [gone, hung] = [new Worker(primary, 2, folder), new Worker(primary, 3, folder)];
    for (const { load } of [worker, gone]) load.set(1);
    hung.silent = true;
    expect(await values(primary, 'load', 'p_scrape_workers_missing')).toEqual([2, 1]);
    primary.removeWorker(2);
    primary.removeWorker(3);
    expect(await values(primary, 'load', 'p_scrape_workers_missing')).toEqual([1, 0]);
    expect(times()).toBe(1);
  });
});

describe('a worker that is gone', () => {
  it('is folded in exactly once, whatever comes late, and its file is removed', async () => {
    const primary = clusterRegistry();
    const worker = new Worker(primary, 1, folder);
    worker.serve();
    worker.jobs.inc(2);
    worker.load.set(9);
    const late = await worker.snapshot();
    await worker.send();
    expect(await values(primary, 'p_request_count', 'jobs', 'load')).toEqual([1, 2, 0]);
    worker.serve();
    primary.removeWorker(1);
    primary.removeWorker(1);
    primary.receiveSnapshot(1, undefined, late);
    primary.receiveSnapshot(1, 99, late);
    expect(await values(primary, 'p_request_count', 'jobs', 'load')).toEqual([2, 2, 0]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('leaves the rows that no file held as its last snapshot has them', async () => {
    const primary = clusterRegistry();
    const worker = new Worker(primary, 1, join(folder, 'absent'));
    worker.serve();
    worker.serve();
    expect(await values(primary, 'p_request_count')).toEqual([2]);
    primary.removeWorker(1);
    expect(await values(primary, 'p_request_count')).toEqual([2]);
  });

  it('is not missed when it goes while it is asked', async () => {
    const primary = clusterRegistry({ timeoutMs: 60_000 });
    new Worker(primary, 1, folder).silent = true;
    const gathering = values(primary, 'p_scrape_workers_missing');
    primary.removeWorker(1);
    expect(await gathering).toEqual([0]);
  });

  it('leaves neither files nor anything else behind, 500 times over', async () => {
    const primary = clusterRegistry();
    for (let generation = 1; generation <= 500; generation++) {
      const worker = new Worker(primary, generation, folder);
      worker.serve();
      worker.jobs.inc();
      await worker.send();
      worker.ledger.close();
      primary.removeWorker(generation);
    }
    expect(readdirSync(folder)).toEqual([]);
    expect(await values(primary, 'p_request_count', 'jobs')).toEqual([500, 500]);
    expect((await primary.clusterMetrics()).split('\n').length).toBeLessThan(40);
  });
});

it('keeps a histogram’s counts when its process sets it back', async () => {
  const primary = clusterRegistry();
  const worker = new Worker(primary, 1, folder);
  const sizes = new Histogram({ name: 'sizes', help: 'h', buckets: [1, 5], registers: [worker.registry] });
  sizes.observe(3);
  sizes.observe(7);
  expect(await values(primary, 'sizes_count', 'sizes_sum')).toEqual([2, 10]);
  worker.registry.resetMetrics();
  sizes.observe(2);
  expect(await values(primary, 'sizes_count', 'sizes_sum')).toEqual([3, 12]);
});
