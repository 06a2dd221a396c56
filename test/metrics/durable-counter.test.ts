import { rmSync } from 'node:fs';
import { Counter, register, Registry } from 'prom-client';
import { DurableCounter, durableCounter, keepDurableCounters } from '../../src/metrics/durable-counter';
import type { ClusterRegistry } from '../../src/metrics/exposition/cluster-registry';
import { Ledger } from '../../src/metrics/ledger/ledger';
import { snapshotText } from '../../src/metrics/snapshot/take-snapshot';
import { memoryFolder, modes } from './ledger/memory-folder';
import { primaryOf, values, Worker } from './exposition/worker';

const JOBS = { name: 'jobs_total', help: 'Jobs.', labelNames: ['kind', 'by'] } as const;

let folder: string;
beforeEach(() => (folder = memoryFolder()));
afterEach(() => {
  register.clear();
  rmSync(folder, { recursive: true, force: true });
});

/** A worker with a durable counter, as a module of it makes one: before there is a ledger. */
function workerWith<Label extends string>(
  primary: ClusterRegistry,
  generation: number,
  counter: DurableCounter<Label>,
  map = true,
): Worker {
  const registry = new Registry();
  registry.registerMetric(counter as never); // a registry asks for no more
  const worker = new Worker(primary, generation, folder, map, registry);
  keepDurableCounters(registry, worker.ledger);
  return worker;
}

describe('a durable counter where there is no ledger', () => {
  it('counts as one of prom-client’s', async () => {
    const jobs = durableCounter(JOBS);
    const all = durableCounter({ name: 'all_total', help: 'All.' });
    jobs.inc({ kind: 'a"\n', by: 1 });
    jobs.inc({ by: 1, kind: 'a"\n' }, 0.5);
    all.inc();
    all.inc(2);
    expect(await register.metrics()).toBe(
      '# HELP jobs_total Jobs.\n# TYPE jobs_total counter\njobs_total{kind="a\\"\\n",by="1"} 1.5\n\n' +
        '# HELP all_total All.\n# TYPE all_total counter\nall_total 3\n',
    );
    register.resetMetrics();
    expect(await register.getSingleMetricAsString('all_total')).toContain('all_total 0');
  });

  it('is there at 0 where it has no labels, or was told to be', async () => {
    durableCounter({ name: 'all_total', help: 'All.' });
    durableCounter(JOBS).inc({ kind: 'a', by: 'b' }, 0);
    const text = await register.metrics();
    expect(text).toContain('\nall_total 0\n');
    expect(text).toContain('\njobs_total{kind="a",by="b"} 0\n');
  });
});

const jobs = () => new DurableCounter({ ...JOBS, maxSeries: 2 });

describe('a durable counter refuses', () => {
  it.each([
    [{ kind: 'a' }, 1, "jobs_total: expected the labels kind, by, got { kind: 'a' }"],
    [{ kind: 'a', by: 'b', x: 'c' }, 1, /expected the labels kind, by, got/],
    [undefined, 1, /expected the labels kind, by, got \{\}/],
    [
      { kind: 'a', by: 'x'.repeat(1001) },
      1,
      /expected a string of at most 1000 characters or a number for by/,
    ],
    [{ kind: null, by: 'b' }, 1, /for kind, got null/],
    [{ kind: 'a', by: NaN }, 1, /for by, got NaN/],
    [{ kind: 'a', by: 'b' }, -1, 'jobs_total: expected a finite number from 0, got -1'],
    [{ kind: 'a', by: 'b' }, NaN, /got NaN/],
    [{ kind: 'a', by: 'b' }, '1', /got '1'/],
  ])('%p, %p', (labels, value, message) => {
    const counter = jobs();
    expect(() => counter.inc(labels as never, value as never)).toThrow(message);
    expect(counter.get().values).toEqual([]);
  });

  it('more sets of label values than it may have, and goes on with those it has', () => {
    const counter = jobs();
    for (const by of ['a', 'b']) counter.inc({ kind: 'k', by });
    const message =
      "jobs_total: expected at most 2 different sets of label values, got { kind: 'k', by: 'c' }";
    expect(() => counter.inc({ kind: 'k', by: 'c' })).toThrow(message);
    counter.inc({ kind: 'k', by: 'b' });
    expect(counter.get().values.map(({ value }) => value)).toEqual([1, 2]);
  });

  it('names that Prometheus does not allow, and one that is taken', () => {
    expect(() => durableCounter({ name: 'a-b', help: 'h' })).toThrow(/name/i);
    expect(() => durableCounter({ name: 'a', help: 'h', labelNames: ['x-y'] })).toThrow(/label name/i);
    durableCounter({ name: 'a', help: 'h' });
    expect(() => durableCounter({ name: 'a', help: 'h' })).toThrow('already been registered');
  });
});

describe.each(modes)('in a %s ledger', (mode) => {
  const map = mode === 'mapped';

  it('is as it is now in every scrape, of workers that say nothing and of those that are gone', async () => {
    const primary = primaryOf({ folder, maxAgeMs: 60_000 });
    const counters = [1, 2].map(() => new DurableCounter(JOBS));
    counters[0]?.inc({ kind: 'before', by: 'me' }, 0.5);
    const workers = counters.map((counter, i) => workerWith(primary, i + 1, counter, map));
    for (const worker of workers) await worker.send();
    expect(await values(primary, 'jobs_total')).toEqual([0.5]);
    for (const worker of workers) worker.silent = true;
    for (const counter of counters) for (const kind of ['a', 'b']) counter.inc({ kind, by: 'me' });
    expect(await values(primary, 'jobs_total')).toEqual([4.5]);
    counters[1]?.inc({ kind: 'a', by: 'me' }, 10);
    primary.removeWorker(2);
    expect(await values(primary, 'jobs_total')).toEqual([14.5]);
    counters[0]?.inc({ kind: 'a', by: 'me' });
    expect(await values(primary, 'jobs_total')).toEqual([15.5]);
    expect(primary.gone.metrics).toContainEqual(expect.objectContaining(JOBS));
  });

  it('keeps its counts when it is removed and made again, with its labels in any order', async () => {
    const primary = primaryOf({ folder });
    const counter = new DurableCounter(JOBS);
    const worker = workerWith(primary, 1, counter, map);
    worker.silent = true;
    counter.inc({ kind: 'a', by: 'x' }, 5);
    const again = new DurableCounter({ ...JOBS, labelNames: ['by', 'kind'] });
    again.keepIn(worker.ledger);
    again.inc({ by: 'x', kind: 'a' }, 2);
    counter.inc({ kind: 'a', by: 'x' });
    expect(again.get().values.map(({ value }) => value)).toEqual([8]);
    expect(await values(primary, 'jobs_total')).toEqual([8]);
    const made = new DurableCounter(JOBS);
    made.inc({ kind: 'a', by: 'x' }, 2);
    made.keepIn(worker.ledger);
    primary.removeWorker(1);
    expect(await values(primary, 'jobs_total')).toEqual([10]);
  });

  it('travels in no snapshot but where it could not be written', async () => {
    const counter = new DurableCounter(JOBS);
    const registry = new Registry();
    registry.registerMetric(counter as never); // a registry asks for no more
    const ledger = Ledger.open({ folder, generation: 1, buckets: [1], onError: () => {}, map });
    keepDurableCounters(registry, ledger);
    counter.inc({ kind: 'kept', by: 'x' });
    expect(await snapshotText(registry, [])).not.toContain('kept');
    ledger.close();
    counter.inc({ kind: 'late', by: 'x' });
    counter.inc({ kind: 'kept', by: 'x' });
    const text = await snapshotText(registry, []);
    expect(text).toContain('late');
    // Mapped memory exists as long as the process.
    expect(text.includes('kept')).toBe(!map);
    expect(counter.get().values.map(({ value }) => value)).toEqual([2, 1]);
  });

  it('is counted once where it was written first, and told later', async () => {
    const primary = primaryOf({ folder });
    const counter = new DurableCounter(JOBS);
    const worker = workerWith(primary, 1, counter, map);
    counter.inc({ kind: 'a', by: 'x' }, 5);
    expect(await values(primary, 'jobs_total')).toEqual([5]);
    worker.ledger.close();
    primary.ledgerFailed(1);
    counter.inc({ kind: 'a', by: 'x' }, 2);
    expect(await values(primary, 'jobs_total')).toEqual([7]);
    expect(await values(primary, 'jobs_total')).toEqual([7]);
  });

  it('goes on in files that are made anew', async () => {
    const primary = primaryOf({ folder });
    const counter = new DurableCounter(JOBS);
    const worker = workerWith(primary, 1, counter, map);
    counter.inc({ kind: 'a', by: 'x' }, 5);
    expect(await values(primary, 'jobs_total')).toEqual([5]);
    rmSync(`${folder}/1.counters`);
    worker.ledger.restore();
    counter.inc({ kind: 'a', by: 'x' }, 2);
    counter.inc({ kind: 'b', by: 'x' });
    worker.silent = true;
    expect(await values(primary, 'jobs_total')).toEqual([8]);
    primary.removeWorker(1);
    expect(await values(primary, 'jobs_total')).toEqual([8]);
  });
});

it('begins anew with other labels than before, which is said once', async () => {
  const redefined: string[] = [];
  const primary = primaryOf({ folder, onRedefined: (name) => redefined.push(name) });
  const old = new DurableCounter(JOBS);
  const young = new DurableCounter({ ...JOBS, labelNames: ['kind'] });
  workerWith(primary, 1, old);
  old.inc({ kind: 'a', by: 'x' }, 5);
  expect(await values(primary, 'jobs_total')).toEqual([5]);
  workerWith(primary, 2, young);
  young.inc({ kind: 'a' });
  old.inc({ kind: 'a', by: 'x' });
  expect(await values(primary, 'jobs_total')).toEqual([1]);
  primary.removeWorker(1);
  expect(await values(primary, 'jobs_total')).toEqual([1]);
  expect(redefined).toEqual(['jobs_total']);
});

it('takes the place of prom-client’s counter of that name without beginning anew', async () => {
  const redefined: string[] = [];
  const primary = primaryOf({ folder, onRedefined: (name) => redefined.push(name) });
  const before = new Worker(primary, 1, folder);
  new Counter({ ...JOBS, registers: [before.registry] }).inc({ kind: 'a', by: 'x' }, 3);
  expect(await values(primary, 'jobs_total')).toEqual([3]);
  primary.removeWorker(1);
  const counter = new DurableCounter(JOBS);
  workerWith(primary, 2, counter).silent = true;
  counter.inc({ kind: 'a', by: 'x' }, 4);
  expect(await values(primary, 'jobs_total')).toEqual([7]);
  expect(redefined).toEqual([]);
});
