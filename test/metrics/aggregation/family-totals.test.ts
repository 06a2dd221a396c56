import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry, Summary } from 'prom-client';
import { Slices } from '../../../src/metrics/event-loop-turns';
import { FamilyTotals } from '../../../src/metrics/aggregation/family-totals';
import { eventually } from '../../support/eventually';
import { parseExposition, total, type Family } from '../../support/exposition';
import { RegistryProcess, scrape } from '../exposition/registry-process';

/** An older and a younger process. */
const pair = (): [RegistryProcess, RegistryProcess] => [new RegistryProcess(1), new RegistryProcess(2)];

function series(text: string, name: string): [labels: object, value: number][] {
  const families: ReadonlyMap<string, Family> = parseExposition(text);
  return (families.get(name)?.samples ?? []).map(({ labels, value }) => [labels, value]);
}

it('shows one process as prom-client shows it', async () => {
  const one = new RegistryProcess();
  const { registers } = one;
  new Counter({ name: 'jobs', help: 'Jobs\nand \\ more.', labelNames: ['a', 'b'], registers }).inc(
    { a: '"x"\\\n', b: 2 },
    3.5,
  );
  const sizes = new Histogram({ name: 'sizes', help: 's', labelNames: ['kind'], buckets: [1, 5], registers });
  sizes.observe({ kind: 'b' }, 3);
  sizes.observe({ kind: 'a' }, 9);
  new Gauge({ name: 'load', help: 'l', labelNames: ['x'], registers }).set({ x: '1' }, -0.25);
  const text = await scrape(new FamilyTotals([]), [one]);
  expect(text).toBe(await one.registry.metrics());
});

it('shows the help of the youngest process', async () => {
  const [older, younger] = pair();
  new Counter({ name: 'jobs', help: 'Before.', registers: older.registers }).inc();
  new Counter({ name: 'jobs', help: 'Now.', registers: younger.registers }).inc();
  expect(await scrape(new FamilyTotals([]), [older, younger])).toContain('# HELP jobs Now.');
});

describe('gauges', () => {
  it.each([
    ['sum', 6],
    ['first', 4],
    ['min', 2],
    ['max', 4],
    ['average', 3],
  ] as const)('are totals as prom-client is told: %s', async (aggregator, expected) => {
    const processes = pair();
    for (const [i, { registers }] of processes.entries()) {
      new Gauge({ name: 'g', help: 'h', aggregator, registers }).set(4 - 2 * i);
    }
    expect(series(await scrape(new FamilyTotals([]), processes), 'g')).toEqual([[{}, expected]]);
  });

  it('of the default metrics get a merge that means something', async () => {
    const names = [
      ['process_start_time_seconds', 2],
      ['process_max_fds', 2],
      ['process_open_fds', 6],
      ['nodejs_eventloop_lag_p99_seconds', 4],
      ['nodejs_eventloop_lag_min_seconds', 2],
      ['nodejs_eventloop_lag_mean_seconds', 3],
    ] as const;
    const processes = pair();
    for (const [i, process] of processes.entries()) {
      const defaults = new Registry();
      collectDefaultMetrics({ register: defaults });
      const known = await defaults.getMetricsAsJSON();
      for (const [name] of names) {
        const { help, aggregator } = known.find((metric) => metric.name === name) ?? {};
        if (help === undefined || aggregator === undefined) continue;
        new Gauge({ name, help, aggregator, registers: process.registers }).set(4 - 2 * i);
      }
    }
    const text = await scrape(new FamilyTotals([]), processes);
    // Only Linux has the metrics about files.
    const there = names.filter(([name]) => process.platform === 'linux' || !name.endsWith('_fds'));
    for (const [name, expected] of there) expect(series(text, name)).toEqual([[{}, expected]]);
  });

  it('that say nothing are left out: NaN, and a minimum before the first sample', async () => {
    const one = new RegistryProcess();
    const { registers } = one;
    for (const name of ['empty', 'endless']) new Gauge({ name, help: 'h', registers }).set(NaN);
    new Gauge({ name: 'nodejs_eventloop_lag_min_seconds', help: 'h', registers }).set(
      9223372036854776000 / 1e9,
    );
    const text = await scrape(new FamilyTotals([]), [one]);
    expect(text).toBe('');
  });

  it('may be infinite in one process, and NaN in another', async () => {
    const processes = pair();
    for (const [i, { registers }] of processes.entries()) {
      new Gauge({ name: 'most', help: 'h', aggregator: 'max', registers }).set(i === 0 ? Infinity : 3);
      new Gauge({ name: 'least', help: 'h', aggregator: 'min', registers }).set(i === 0 ? -Infinity : 3);
      new Gauge({ name: 'all', help: 'h', registers }).set(i === 0 ? NaN : 3);
      new Gauge({ name: 'opposed', help: 'h', registers }).set(i === 0 ? Infinity : -Infinity);
    }
    const text = await scrape(new FamilyTotals([]), processes);
    expect(['most', 'least', 'all', 'opposed'].map((name) => series(text, name))).toEqual([
      [[{}, Infinity]],
      [[{}, -Infinity]],
      [[{}, 3]],
      [],
    ]);
  });

  it('get the worker’s number when they are not to be totals, and counters do not', async () => {
    const processes = pair();
    for (const [i, { registers }] of processes.entries()) {
      new Gauge({ name: 'load', help: 'h', labelNames: ['x'], registers }).set({ x: 'a' }, i);
      new Gauge({ name: 'start', help: 'h', aggregator: 'omit', registers }).set(i);
      new Gauge({ name: 'own', help: 'h', labelNames: ['worker'], registers }).set({ worker: 'w' }, 2);
      new Counter({ name: 'jobs', help: 'h', registers }).inc(1);
    }
    const text = await scrape(new FamilyTotals([]), processes, true);
    expect(series(text, 'load')).toEqual([
      [{ x: 'a', worker: '1' }, 0],
      [{ x: 'a', worker: '2' }, 1],
    ]);
    expect(series(text, 'start')).toEqual([
      [{ worker: '1' }, 0],
      [{ worker: '2' }, 1],
    ]);
    expect(series(text, 'own')).toEqual([[{ worker: 'w' }, 4]]);
    expect(series(text, 'jobs')).toEqual([[{}, 2]]);
  });

  it('of processes that do not answer are not there', async () => {
    const totals = new FamilyTotals([]);
    const [one, other] = pair();
    for (const { registers } of [one, other]) new Gauge({ name: 'load', help: 'h', registers }).set(1);
    await scrape(totals, [one, other]);
    expect(series(await scrape(totals, [one]), 'load')).toEqual([[{}, 1]]);
  });
});

describe('totals', () => {
  it('stay when a process has gone, and when a label was removed or set back', async () => {
    const totals = new FamilyTotals([]);
    const [one, other] = pair();
    const counters = [one, other].map(
      ({ registers }) => new Counter({ name: 'jobs', help: 'h', labelNames: ['x'], registers }),
    );
    counters[0]?.inc({ x: 'a' }, 5);
    counters[1]?.inc({ x: 'b' }, 7);
    const all = new Set([one, other]);
    const texts = [await scrape(totals, [one, other]), await scrape(totals, [one], false, all)];
    counters[0]?.remove('a');
    texts.push(await scrape(totals, [one], false, all));
    counters[0]?.inc({ x: 'a' }, 2);
    texts.push(await scrape(totals, [one], false, all));
    totals.retire(other.families);
    texts.push(await scrape(totals, [one]));
    const families = texts.map((text) => parseExposition(text));
    expect(families.map((family) => total(family, 'jobs'))).toEqual([12, 12, 12, 14, 14]);
  });

  it.each([
    ['older', ['sizes']],
    ['younger', []],
  ])(
    'of a metric with other buckets begin anew with the younger process, which is said: the %s one comes first',
    async (first, expected) => {
      const redefined: string[] = [];
      const totals = new FamilyTotals([], (name) => redefined.push(name));
      const [before, after] = pair();
      const buckets = [
        [1, 10],
        [5, 10],
      ];
      for (const [i, { registers }] of [before, after].entries()) {
        const sizes = new Histogram({ name: 'sizes', help: 'h', buckets: buckets[i] ?? [], registers });
        for (const value of [...Array<number>(2 - i).fill(0.5), 7]) sizes.observe(value);
      }
      await scrape(totals, [first === 'older' ? before : after]);
      for (const processes of [[before, after], [before]]) {
        const text = await scrape(totals, processes, false, new Set([before, after]));
        expect(series(text, 'sizes')).toEqual([
          [{ le: '5' }, 1],
          [{ le: '10' }, 2],
          [{ le: '+Inf' }, 2],
          [{}, 7.5],
          [{}, 2],
        ]);
      }
      expect(redefined).toEqual(expected);
    },
  );

  it('of a metric that begins anew tell by their start that they do', async () => {
    const totals = new FamilyTotals([]);
    const [before, after] = pair();
    const startOf = async () =>
      (await totals.families(new Set([before, after]), [], await Slices.begin()))[0]?.metrics[0]?.start ??
      NaN;
    new Histogram({ name: 'sizes', help: 'h', buckets: [1], registers: before.registers }).observe(1);
    await scrape(totals, [before]);
    const start = await startOf();
    await eventually('the clock goes on', 5_000, () => Date.now() > start + 1);
    const between = Date.now();
    await after.snapshot();
    new Histogram({ name: 'sizes', help: 'h', buckets: [2], registers: after.registers }).observe(1);
    await after.snapshot();
    await scrape(totals, [before, after]);
    expect(await startOf()).toBeGreaterThanOrEqual(between - 1);
  });

  it('of those that are gone can be kept, and are added to what others count', async () => {
    const totals = new FamilyTotals([]);
    const [one, other] = pair();
    for (const { registers } of [one, other]) {
      const jobs = new Counter({ name: 'jobs', help: 'h', labelNames: ['b', 'a'], registers });
      jobs.inc({ b: 1, a: 'x' }, 0.1);
      new Histogram({ name: 'sizes', help: 'h', buckets: [1], registers }).observe(0.2);
      new Gauge({ name: 'load', help: 'h', registers }).set(1);
    }
    await scrape(totals, [one]);
    totals.retire(one.families);
    const successor = new FamilyTotals([]);
    successor.gone = JSON.parse(JSON.stringify(totals.gone));
    const text = await scrape(successor, [other]);
    expect(text).toBe(await scrape(totals, [other]));
    expect([series(text, 'jobs'), series(text, 'load')]).toEqual([[[{ a: 'x', b: '1' }, 0.2]], [[{}, 1]]]);
  });

  it('of those that are gone give way where a process has another metric under one of their names', async () => {
    const totals = new FamilyTotals([]);
    const [one, other] = pair();
    new Histogram({ name: 'h', help: 'h', buckets: [1], registers: one.registers }).observe(1);
    await scrape(totals, [one]);
    totals.retire(one.families);
    const successor = new FamilyTotals([]);
    successor.gone = totals.gone;
    new Counter({ name: 'h_count', help: 'h', registers: other.registers }).inc(3);
    const text = await scrape(successor, [other]);
    expect([...parseExposition(text).keys()]).toEqual(['h_count']);
  });

  it.each(['retire', 'forget'] as const)(
    'give way as soon as no living process has them (%s), but not to an older one',
    async (end) => {
      const totals = new FamilyTotals([]);
      const [one, other] = pair();
      const oldest = new RegistryProcess(0);
      for (const { registers } of [one, other]) {
        new Histogram({ name: 'h', help: 'h', buckets: [1], registers }).observe(1);
        new Gauge({ name: 'g_sum', help: 'h', registers }).set(1);
      }
      await scrape(totals, [one, other]);
      const young = new RegistryProcess(3);
      for (const { registers } of [oldest, young]) {
        new Counter({ name: 'h_count', help: 'h', registers }).inc(3);
        new Summary({ name: 'g', help: 'h', registers }).observe(1);
      }
      const names = async (all: RegistryProcess[]) => [...parseExposition(await scrape(totals, all)).keys()];
      totals[end](one.families);
      expect(await names([other, young])).toEqual(['h', 'g_sum']);
      totals[end](other.families);
      expect(await names([oldest])).not.toContain('h_count');
      expect(await names([young])).toEqual(['h_count', 'g']);
    },
  );

  it('of a summary are its sum and count: quantiles can’t be totals', async () => {
    const processes = pair();
    for (const { registers } of processes) {
      new Summary({ name: 'times', help: 'h', percentiles: [0.5], registers }).observe(3);
    }
    expect(series(await scrape(new FamilyTotals([]), processes), 'times')).toEqual([
      [{}, 6],
      [{}, 2],
    ]);
  });
});

describe('a series is there once', () => {
  it('whatever the order of its labels', async () => {
    const processes = pair();
    for (const [i, { registers }] of processes.entries()) {
      const labelNames = ['a', 'b'];
      const gauge = new Gauge({ name: 'g', help: 'h', labelNames, registers });
      const counter = new Counter({ name: 'c', help: 'h', labelNames, registers });
      const labels = i === 0 ? { a: 1, b: '2' } : { b: 2, a: '1' };
      gauge.set(labels, 1);
      counter.inc(labels, 1);
    }
    const text = await scrape(new FamilyTotals([]), processes);
    expect([series(text, 'g'), series(text, 'c')]).toEqual([
      [[{ a: '1', b: '2' }, 2]],
      [[{ a: '1', b: '2' }, 2]],
    ]);
  });

  it('whatever names metrics have: the first of two that share one wins, and a reserved one is not taken', async () => {
    const one = new RegistryProcess();
    const { registers } = one;
    new Histogram({ name: 'h', help: 'first', buckets: [1], registers }).observe(1);
    for (const name of ['h_count', 'h_bucket', 'reserved'])
      new Counter({ name, help: 'second', registers }).inc(9);
    new Gauge({ name: 'fine', help: 'f', registers }).set(1);
    const text = await scrape(new FamilyTotals(['reserved']), [one]);
    expect([...parseExposition(text).keys()]).toEqual(['h', 'fine']);
  });

  it('of one type: the youngest process says which, from nothing', async () => {
    const [one, other] = pair();
    for (const name of ['x', 'y']) new Counter({ name, help: 'h', registers: one.registers }).inc(2);
    new Gauge({ name: 'x', help: 'h', registers: other.registers }).set(100);
    new Histogram({ name: 'y', help: 'h', buckets: [], registers: other.registers }).observe(1);
    const redefined: string[] = [];
    const totals = new FamilyTotals([], (name) => redefined.push(name));
    const text = await scrape(totals, [one, other]);
    expect(series(text, 'x')).toEqual([[{}, 100]]);
    expect(series(text, 'y')).toEqual([
      [{ le: '+Inf' }, 1],
      [{}, 1],
      [{}, 1],
    ]);
    expect(redefined.toSorted()).toEqual(['x', 'y']);
  });
});
