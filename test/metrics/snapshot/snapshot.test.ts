import { EventEmitter, once } from 'node:events';
import * as fc from 'fast-check';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { FamilyReadings, FamilyTotals } from '../../../src/metrics/aggregation/family-totals';
import { DurableCounter } from '../../../src/metrics/durable-counter';
import { memoryRows } from '../../../src/metrics/request-metrics';
import type { Snapshot } from '../../../src/metrics/snapshot/snapshot';
import { snapshotText, takeSnapshot } from '../../../src/metrics/snapshot/take-snapshot';
import { parseSnapshot } from '../../../src/metrics/snapshot/snapshot-parser';
import { SnapshotReader } from '../../../src/metrics/snapshot/snapshot-reader';
import { parseExposition } from '../../support/exposition';
import { rendered } from '../exposition/registry-process';

// Real files and processes: on a busy machine they take their time.
jest.setTimeout(60_000);

const counter = { name: 'c', help: 'h', type: 'counter', values: [{ value: 1, labels: { a: 'x' } }] };
const histogram = {
  name: 'h',
  help: 'h',
  type: 'histogram',
  values: [
    { metricName: 'h_bucket', value: 1, labels: { le: 1 } },
    { metricName: 'h_bucket', value: 2, labels: { le: '+Inf' } },
    { metricName: 'h_sum', value: 3, labels: {} },
    { metricName: 'h_count', value: 2, labels: {} },
  ],
};
const row = { labels: { method: 'GET', endpoint: '/', status: 200 }, cells: [1, 0, 0.5] };
const detail = { start: 0, native: [], exemplars: [] };

const names = (input: unknown): string[] | undefined =>
  parseSnapshot({ metrics: [input, counter], rows: [] })?.metrics.map(({ name }) => name);

describe('a snapshot from another process', () => {
  it.each([null, undefined, 0, 'text', [], {}, { metrics: [] }, { metrics: {}, rows: [] }, { rows: [] }])(
    'that is %p is none',
    (input) => expect(parseSnapshot(input)).toBeUndefined(),
  );

  it('is taken as it is when it is well-formed', () => {
    const input = { metrics: [{ ...counter, aggregator: 'sum' }], rows: [row] };
    expect(parseSnapshot(input)).toEqual(input);
    expect(names(histogram)).toEqual(['h', 'c']);
  });

  it.each<[string, unknown]>([
    ['nothing', null],
    ['a name that is none', { ...counter, name: 'a b' }],
    ['a name with a line feed', { ...counter, name: 'a\n' }],
    ['no help', { ...counter, help: undefined }],
    ['an unknown type', { ...counter, type: 'toString' }],
    ['no values', { ...counter, values: null }],
    ['an aggregator that is no name', { ...counter, aggregator: 1 }],
    ['a histogram without one of its values', { ...histogram, values: [...histogram.values, null] }],
    ['a histogram with +Inf that is not its count', { ...histogram, values: histogram.values.slice(0, 3) }],
    [
      'a histogram with buckets that fall',
      {
        ...histogram,
        values: [{ metricName: 'h_bucket', value: 9, labels: { le: 1 } }, ...histogram.values.slice(1)],
      },
    ],
  ])('loses a metric with %s, and keeps the others', (_, input) => {
    expect(names(input)).toEqual(['c']);
  });

  it.each<[string, unknown]>([
    ['nothing', null],
    ['no number', { value: '1', labels: {} }],
    ['what NaN becomes in JSON', { value: null, labels: {} }],
    ['infinity', { value: Infinity, labels: {} }],
    ['a negative count', { value: -1, labels: {} }],
    ['a label name that is none', { value: 1, labels: { 'a-b': 'x' } }],
    ['a reserved label name', { value: 1, labels: JSON.parse('{"__proto__": "x"}') as unknown }],
    ['a label value that is none', { value: 1, labels: { a: {} } }],
    ['labels that are none', { value: 1, labels: 'x' }],
    ['another metric’s name', { value: 1, labels: {}, metricName: 'other' }],
  ])('loses a value with %s, and keeps the others', (_, value) => {
    const snapshot = parseSnapshot({
      metrics: [{ ...counter, values: [value, ...counter.values] }],
      rows: [],
    });
    expect(snapshot?.metrics[0]?.values).toEqual(counter.values);
  });

  it.each<[string, unknown]>([
    ['nothing', null],
    ['no labels', { cells: [1] }],
    ['a status that is none', { ...row, labels: { ...row.labels, status: 1.5 } }],
    ['part of a count', { ...row, cells: [0.5, 0, 1] }],
    ['a negative count', { ...row, cells: [-1, 0, 1] }],
    ['null', { ...row, cells: [null, 0, 1] }],
  ])('loses a row with %s, and keeps the others', (_, bad) => {
    expect(parseSnapshot({ metrics: [], rows: [bad, row] })?.rows).toEqual([row]);
  });

  it('can’t spoil an exposition, whatever it is', async () => {
    const name = fc.constantFrom('a', 'a_bucket', 'a_sum', 'b', '__proto__', 'constructor', '1x');
    const label = fc.dictionary(
      fc.constantFrom('le', 'x', '__proto__', 'quantile'),
      fc.oneof(fc.string(), fc.integer(), fc.constantFrom('1', '+Inf', 'Inf', '"\n\\'), fc.anything()),
    );
    const value = fc.record({
      value: fc.oneof(fc.integer(), fc.double(), fc.anything()),
      labels: label,
      metricName: name,
    });
    const metric = fc.record({
      name,
      help: fc.string(),
      type: fc.constantFrom('counter', 'gauge', 'histogram', 'summary', 'x'),
      aggregator: fc.constantFrom('sum', 'omit', 'min', '__proto__'),
      values: fc.array(
        fc.oneof(
          value,
          value.map(({ value: number, labels }) => ({ value: number, labels })),
        ),
      ),
    });
    const input = fc.record({
      metrics: fc.array(fc.oneof(metric, fc.anything())),
      rows: fc.array(fc.anything()),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(input, fc.anything()), { maxLength: 4 }), async (inputs) => {
        const totals = new FamilyTotals([]);
        const snapshots = inputs.flatMap((one) => parseSnapshot(one) ?? []);
        const processes = snapshots.map((_, i) => ({ families: new FamilyReadings(i) }));
        for (const [i, { families }] of processes.entries())
          totals.read(families, snapshots[i] ?? { metrics: [], rows: [] });
        const live = snapshots.map((snapshot) => ({ snapshot }));
        const text = await rendered(totals, live, new Set(processes));
        expect(() => parseExposition(text)).not.toThrow();
      }),
      { numRuns: 300 },
    );
  });
});

describe('a snapshot as text', () => {
  const nothing = '{"numbers":[],"rows":[]}';
  it.each([
    '',
    'null',
    '[]',
    '['.repeat(100_000),
    '\n',
    '\n[]',
    'null\n[]',
    '{"metrics":[],"rows":[]}\n[]',
    nothing,
    `${nothing}\n`,
    `${nothing}\n{}`,
    `${nothing}\n[`,
  ])('is none: %.20s', (text) => {
    expect(new SnapshotReader().read(text)).toBeUndefined();
  });

  it('is read as what it was made of, infinities too, and NaN is left out', async () => {
    const registry = new Registry();
    const gauge = new Gauge({ name: 'g', help: 'h', labelNames: ['x'], registers: [registry] });
    gauge.set({ x: 'a' }, 2);
    gauge.set({ x: 'b' }, NaN);
    gauge.set({ x: 'c' }, Infinity);
    gauge.set({ x: 'd' }, -Infinity);
    const kept = memoryRows([1]).append(row.labels, 0);
    kept.cells.set(row.cells);
    const snapshot = new SnapshotReader().read(await snapshotText(registry, [kept]));
    expect(snapshot?.rows).toEqual([{ ...row, detail }]);
    expect(snapshot?.metrics.map(({ values }) => values)).toEqual([
      [
        { labels: { x: 'a' }, value: 2 },
        { labels: { x: 'c' }, value: Infinity },
        { labels: { x: 'd' }, value: -Infinity },
      ],
    ]);
    expect(snapshot).toEqual(await takeSnapshot(registry, [kept]));
  });
});

describe('a reader', () => {
  const registry = new Registry();
  const jobs = new Counter({ name: 'c', help: 'h', labelNames: ['x'], registers: [registry] });
  const sizes = new Histogram({ name: 'h', help: 'h', buckets: [1, 2], registers: [registry] });
  const load = new Gauge({ name: 'g', help: 'h', registers: [registry] });
  const reader = new SnapshotReader();
  /** Reads a snapshot, and tells whether each metric was the same but for its numbers. */
  async function read(): Promise<[snapshot: Snapshot | undefined, same: (object | undefined)[]]> {
    const snapshot = reader.read(await snapshotText(registry, []));
    return [snapshot, snapshot?.metrics.map(({ shape }) => shape) ?? []];
  }

  it('gives each time what a new one gives, and says what is the same but for its numbers', async () => {
    jobs.inc({ x: 'a' });
    const [, first] = await read();
    expect(first).not.toContain(undefined);
    jobs.inc({ x: 'a' }, 4);
    sizes.observe(1.5);
    load.set(-1);
    const [second, same] = await read();
    expect(second).toMatchObject(await takeSnapshot(registry, []));
    expect(same.map((one, i) => one === first[i])).toEqual([true, true, true]);
    jobs.inc({ x: 'b' });
    const [third, others] = await read();
    expect(third).toMatchObject(await takeSnapshot(registry, []));
    expect(others[0]).not.toBe(first[0]);
  });

  it('leaves out a number that can’t be one, until it can', async () => {
    load.set(NaN);
    const [without] = await read();
    expect(without).toMatchObject(await takeSnapshot(registry, []));
    expect(without?.metrics.map(({ values }) => values.length)).toEqual([2, 5, 0]);
    load.set(3);
    const [again] = await read();
    expect(again?.metrics[2]?.values).toEqual([{ labels: {}, value: 3 }]);
  });

  it.each<[string, (numbers: number[][]) => void]>([
    ['a count is negative', ([counts]) => counts?.splice(0, 1, -1)],
    ['one is missing', ([counts]) => counts?.pop()],
    ['one is a text', ([counts]) => counts?.splice(0, 1, '7' as never)],
    ['buckets fall', ([, cells]) => cells?.splice(0, 1, 99)],
    ['+Inf is not the count', ([, cells]) => cells?.splice(4, 1, 99)],
  ])('reads as a new one does when %s', async (_what, spoil) => {
    await read();
    const [changing = '', series = ''] = (await snapshotText(registry, [])).split('\n');
    const told: { numbers: number[][] } = JSON.parse(changing);
    spoil(told.numbers);
    const text = `${JSON.stringify(told)}\n${series}`;
    const metrics = reader.read(text)?.metrics.map(({ name, values }) => ({ name, values }));
    expect(metrics).toEqual(
      new SnapshotReader().read(text)?.metrics.map(({ name, values }) => ({ name, values })),
    );
    expect(metrics).not.toEqual(
      (await takeSnapshot(registry, [])).metrics.map(({ name, values }) => ({ name, values })),
    );
  });
});

describe('what JSON has no way to write', () => {
  it.each([
    ['a BigInt', 10n],
    ['an object that holds itself', Object.assign(new Error('x'), { self: [] as unknown[] })],
  ])('loses only the value that has it for a label: %s', async (_what, label) => {
    if (label instanceof Error) label.self.push(label);
    const registry = new Registry();
    const labelled = new Counter({ name: 'c', help: 'h', labelNames: ['x'], registers: [registry] });
    labelled.inc({ x: label as never }, 5);
    labelled.inc({ x: 'y' }, 2);
    labelled.inc(3);
    const snapshot = new SnapshotReader().read(await snapshotText(registry, []));
    expect(snapshot?.metrics[0]?.values).toEqual([
      { labels: { x: 'y' }, value: 2, start: expect.any(Number) },
      { labels: {}, value: 3, start: expect.any(Number) },
    ]);
  });
});

it('has labels that are truth values or null as prom-client shows them', async () => {
  const registry = new Registry();
  const registers = [registry];
  const sizes = new Histogram({ name: 'h', help: 'h', labelNames: ['x'], buckets: [1], registers });
  const all = new Counter({ name: 'c', help: 'h', labelNames: ['x'], registers });
  for (const x of [true, false, null]) {
    sizes.observe({ x: x as never }, 0.5); // JavaScript may do that
    all.inc({ x: x as never });
  }
  const snapshot = new SnapshotReader().read(await snapshotText(registry, []));
  if (!snapshot) throw new Error('not a snapshot');
  const totals = new FamilyTotals([]);
  const families = new FamilyReadings(0);
  totals.read(families, snapshot);
  expect(await rendered(totals, [{ snapshot }], new Set([{ families }]))).toBe(await registry.metrics());
  expect(snapshot).toMatchObject(await takeSnapshot(registry, []));
});

function fails(): never {
  throw new Error('no such device');
}

describe('a snapshot of this process', () => {
  it('has the registry’s metrics and the rows that no file holds', async () => {
    const registry = new Registry();
    new Gauge({ name: 'g', help: 'h', registers: [registry] }).set(2);
    new Histogram({ name: 'h', help: 'h', buckets: [1], registers: [registry] }).observe(0.5);
    const kept = memoryRows([1]).append(row.labels, 0);
    kept.cells.set(row.cells);
    const snapshot = await takeSnapshot(registry, [kept]);
    expect(snapshot.metrics.map((metric) => [metric.name, metric.values.length])).toEqual([
      ['g', 1],
      ['h', 4],
    ]);
    expect(snapshot.rows).toEqual([{ ...row, detail }]);
    expect(parseSnapshot(JSON.parse(JSON.stringify(snapshot)))).toEqual(snapshot);
  });

  it('has counters under their names after an app has asked for its registry in OpenMetrics', async () => {
    const registry = new Registry();
    registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never); // its type is that of the other one
    const jobs = new Counter({ name: 'jobs_total', help: 'h', registers: [registry] });
    for (let count = 1; count <= 2; count += 1) {
      jobs.inc();
      expect(await registry.metrics()).toContain(`jobs_total ${count}`);
      const { metrics } = await takeSnapshot(registry, []);
      expect(metrics).toMatchObject([{ name: 'jobs_total', values: [{ value: count }] }]);
    }
  });

  it('has the service’s own metrics in place of those of the same name, with the default labels', async () => {
    const [own, registry] = [new Registry(), new Registry()];
    registry.setDefaultLabels({ zone: 'a' });
    new Gauge({ name: 'a', help: 'own', registers: [own] }).set(1);
    new Counter({ name: 'a', help: 'h', registers: [registry] }).inc(2);
    new Gauge({ name: 'b', help: 'h', registers: [registry] }).set(3);
    const { metrics } = await takeSnapshot(registry, [], own);
    expect(metrics.map(({ name, help, values }) => [name, help, values])).toEqual([
      ['a', 'own', [{ labels: { zone: 'a' }, value: 1 }]],
      ['b', 'h', [{ labels: { zone: 'a' }, value: 3 }]],
    ]);
  });

  it('has the registry’s default labels, also where a collection fails', async () => {
    const registry = new Registry();
    registry.setDefaultLabels({ zone: 'a' });
    new Counter({ name: 'c', help: 'h', labelNames: ['x'], registers: [registry] }).inc({ x: 'y' });
    new Gauge({ name: 'bad', help: 'h', registers: [registry], collect: fails }).set(1);
    const { metrics } = await takeSnapshot(registry, []);
    expect(metrics.map(({ values }) => values)).toEqual([
      [{ labels: { x: 'y', zone: 'a' }, value: 1, start: expect.any(Number) }],
    ]);
  });

  it('lets others have their turn while it is taken, and does not wait for one collection before the next', async () => {
    const registry = new Registry();
    const turnsBefore: number[] = [];
    let turns = 0;
    let done = false;
    const count = (): void => void (turns++, done || setImmediate(count));
    setImmediate(count);
    const allBegan = new EventEmitter();
    const began = once(allBegan, 'all');
    const gauges = Array.from({ length: 12 }, (_, index) => `m${index}`);
    for (const name of gauges) {
      const gauge: Gauge = new Gauge({
        name,
        help: 'h',
        registers: [registry],
        async collect() {
          for (const end = performance.now() + 1; performance.now() < end;);
          if (turnsBefore.push(turns) === gauges.length) allBegan.emit('all');
          await began;
          gauge.set(1);
        },
      });
    }
    await takeSnapshot(registry, []);
    done = true;
    // On a busy host two collections may follow each other: the timer between them is due at once.
    expect(new Set(turnsBefore).size).toBeGreaterThan(gauges.length / 2);
  });

  it('loses only the metric whose collection fails', async () => {
    const registry = new Registry();
    new Counter({ name: 'good', help: 'h', registers: [registry] }).inc();
    const bad = new Gauge({
      name: 'bad',
      help: 'h',
      registers: [registry],
      collect: fails,
    });
    bad.set(1);
    expect((await takeSnapshot(registry, [])).metrics.map(({ name }) => name)).toEqual(['good']);
  });

  it.each([
    undefined,
    null,
    'text',
    { name: 'own', type: 'counter' },
    { name: 'own', type: 'counter', values: {} },
  ])('leaves out a metric of an app’s own make that gives %j', async (collected) => {
    const registry = new Registry();
    new Counter({ name: 'good', help: 'h', registers: [registry] }).inc();
    const own = { name: 'own', help: 'h', type: 'counter', get: () => Promise.resolve(collected) };
    registry.registerMetric(own as unknown as Counter); // JavaScript may do that
    const text = await snapshotText(registry, []);
    expect(new SnapshotReader().read(text)?.metrics.map(({ name }) => name)).toEqual(['good']);
  });

  it('leaves out a metric whose collection never ends, and does not begin another one', async () => {
    const registry = new Registry();
    new Counter({ name: 'good', help: 'h', registers: [registry] }).inc();
    const collect = jest.fn(() => new Promise<void>(() => {}));
    new Gauge({ name: 'hangs', help: 'h', registers: [registry], collect }).set(1);
    for (const _ of ['first', 'second'])
      expect((await takeSnapshot(registry, [])).metrics.map(({ name }) => name)).toEqual(['good']);
    expect(collect).toHaveBeenCalledTimes(1);
  });

  it('has the values of a slow collection once it has ended', async () => {
    const registry = new Registry();
    const ends: (() => void)[] = [];
    const slow: Gauge = new Gauge({
      name: 'slow',
      help: 'h',
      registers: [registry],
      collect: () => new Promise<void>((resolve) => ends.push(resolve)),
    });
    const value = async () => (await takeSnapshot(registry, [])).metrics[0]?.values[0]?.value;
    expect(await value()).toBeUndefined();
    slow.set(1);
    ends.shift()?.();
    await new Promise(setImmediate);
    expect(await value()).toBe(1);
    slow.set(2);
    ends.shift()?.();
    await new Promise(setImmediate);
    expect(await value()).toBe(2);
    expect(ends).toHaveLength(1);
  });

  it('gives durable counters no default labels, which they do not have in a ledger', async () => {
    const registry = new Registry();
    registry.setDefaultLabels({ zone: 'a' });
    const orders = new DurableCounter({ name: 'orders_total', help: 'h' });
    registry.registerMetric(orders as never); // a registry needs no more of a metric
    orders.inc();
    const { metrics } = await takeSnapshot(registry, []);
    expect(metrics.map(({ values }) => values)).toEqual([
      [{ labels: {}, value: 1, start: expect.any(Number) }],
    ]);
  });
});
