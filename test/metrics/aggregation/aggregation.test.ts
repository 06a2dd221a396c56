import { Slices } from '../../../src/metrics/event-loop-turns';
import { Aggregation, type Counts, Source } from '../../../src/metrics/aggregation/aggregation';
import type { Snapshot, SnapshotMetric, SnapshotValue } from '../../../src/metrics/snapshot/snapshot';

const metric = (type: SnapshotMetric['type'], name: string, values: SnapshotValue[]): SnapshotMetric => ({
  name,
  help: 'h',
  type,
  aggregator: 'sum',
  values,
});
const labels = { method: 'GET', endpoint: '/', status: 200 };

const snapshot = (factor: number, status = 200): Snapshot => ({
  metrics: [
    metric('counter', 'c', [
      { labels: { a: 'x', b: 'y' }, value: factor },
      { labels: { a: 'z' }, value: 0.1 },
    ]),
    metric('histogram', 'h', [
      { metricName: 'h_bucket', labels: { le: '+Inf' }, value: factor },
      { metricName: 'h_sum', labels: {}, value: 0.1 },
      { metricName: 'h_count', labels: {}, value: factor },
    ]),
    metric('gauge', 'g', [{ labels: {}, value: 1 }]),
  ],
  rows: [{ labels: { ...labels, status }, cells: [factor, 2, 0.1] }],
});

/** The number that is nearest to three times the number that is nearest to 0.1. */
const THREE_TENTHS = 0.30000000000000004;

const make = () => new Aggregation({ buckets: [1], reserved: [] });

/** Returns all figures of an aggregation. */
async function figures(aggregation: Aggregation) {
  const slices = await Slices.begin();
  const { rows, counts, histograms } = await aggregation.requests(slices);
  const families = await aggregation.families([], slices);
  const samples = families.flatMap(({ metrics }) => metrics.flatMap(({ samples: all }) => all));
  return {
    rows: rows.map(({ status }) => status),
    counts: [...counts],
    histograms: [...histograms],
    samples: samples.map(({ series, value }) => [series.text, value]),
  };
}

/** Returns the native counts of the first histogram that are not 0, by cell. */
async function nativeOf(aggregation: Aggregation) {
  const { details } = await aggregation.requests(await Slices.begin(), true);
  return [...(details?.groups[0]?.native?.entries() ?? [])].filter(([, count]) => count !== 0);
}

test('adds counters, histograms and rows by their labels, whoever is gone', async () => {
  const aggregation = make();
  const sources = [new Source(1), new Source(2), new Source(3)] as const;
  aggregation.read(sources[0], snapshot(1));
  aggregation.read(sources[1], snapshot(10));
  aggregation.read(sources[2], snapshot(100, 404));
  const expected = {
    rows: [200, 404],
    counts: [15, 102],
    histograms: [111, 6, THREE_TENTHS],
    samples: [
      ['c{a="x",b="y"}', 111],
      ['c{a="z"}', THREE_TENTHS],
      ['h_bucket{le="+Inf"}', 111],
      ['h_sum', THREE_TENTHS],
      ['h_count', 111],
    ],
  };
  expect(await figures(aggregation)).toEqual(expected);
  aggregation.retire(sources[0]);
  expect(await figures(aggregation)).toEqual(expected);
  aggregation.retire(sources[1]);
  aggregation.retire(sources[1]);
  expect(await figures(aggregation)).toEqual(expected);
});

async function startOf(aggregation: Aggregation): Promise<number | undefined> {
  const { details } = await aggregation.requests(await Slices.begin(), true);
  return details?.groups[0]?.start;
}

test('the start of a histogram stays where counts are kept, also that of a status that nobody has counted', async () => {
  const foreseen = [{ method: 'GET', endpoint: '/', statuses: [200, 400, 500] }];
  const before = make();
  before.foresee(foreseen, 1_000);
  const row = { labels: { ...labels, status: 404 }, cells: [1, 0, 0.1] };
  const detail = { start: 5_000, native: [], exemplars: [] };
  const source = new Source(1);
  before.read(source, { metrics: [], rows: [{ ...row, detail }] });
  before.retire(source);
  const after = make();
  after.foresee(foreseen, 9_000);
  after.gone = before.gone;
  expect([await startOf(before), await startOf(after)]).toEqual([1_000, 1_000]);
  expect(after.gone.rows.map(({ labels: { status } }) => status)).toEqual([200, 404]);
});

test('gives the same where those that are gone were kept as JSON, whoever they were', async () => {
  const all = [snapshot(1), snapshot(2), snapshot(3)];
  const expected = make();
  for (const [i, one] of all.entries()) expected.read(new Source(i), one);
  for (let kept = 0; kept <= all.length; kept++) {
    const before = make();
    for (const [i, one] of all.slice(0, kept).entries()) {
      const source = new Source(i);
      before.read(source, one);
      before.retire(source);
    }
    const gone: Counts = JSON.parse(JSON.stringify(before.gone));
    const after = make();
    after.gone = gone;
    for (const [i, one] of all.slice(kept).entries()) after.read(new Source(i), one);
    expect(await figures(after)).toEqual(await figures(expected));
    expect(after.gone).toEqual(gone);
  }
});

test('counts what is read again, or late, once', async () => {
  const aggregation = make();
  const source = new Source(1);
  for (const factor of [3, 3, 2]) aggregation.read(source, { metrics: [], rows: snapshot(factor).rows });
  expect((await figures(aggregation)).counts).toEqual([5]);
});

test('has what is in a new archive in place of the process that left it', async () => {
  const aggregation = make();
  const source = new Source(1);
  aggregation.read(source, snapshot(4));
  const before = await figures(aggregation);
  const folded = make();
  const other = new Source(1);
  folded.read(other, snapshot(4));
  folded.retire(other);
  aggregation.forget(source);
  aggregation.gone = folded.gone;
  expect(await figures(aggregation)).toEqual(before);
  const count = metric('counter', 'h_count', [{ labels: {}, value: 7 }]);
  aggregation.read(new Source(2), { metrics: [count], rows: [] });
  expect((await figures(aggregation)).samples.slice(-1)).toEqual([['h_count', 7]]);
});

test('has native histograms after buckets have changed: of what was counted since', async () => {
  const detail = { start: 1, native: [[7, 2]] as const, exemplars: [] };
  const all = make();
  all.gone = {
    rows: [{ labels, counts: [2, 0], seconds: [0.1], withOtherBuckets: 5, detail, anew: 1 }],
    metrics: [],
  };
  const { counts, details } = await all.requests(await Slices.begin(), true);
  expect([...counts]).toEqual([7]);
  expect(details?.groups[0]?.native?.[7]).toBe(2);
});

test('adds up what two archives have', async () => {
  const detail = { start: 1, native: [[7, 3]] as const, exemplars: [] };
  const archives = [1, 10].map((factor) => {
    const one = make();
    const source = new Source(factor);
    one.read(source, { ...snapshot(factor), rows: [{ labels, cells: [factor, 2, 0.1], detail }] });
    one.retire(source);
    return one.gone;
  });
  const all = make();
  all.gone = {
    rows: archives.flatMap(({ rows }) => rows),
    metrics: archives.flatMap(({ metrics }) => metrics),
  };
  expect(await figures(all)).toMatchObject({ counts: [15], histograms: [11, 4, 0.2] });
  expect((await figures(all)).samples).toContainEqual(['c{a="x",b="y"}', 11]);
  expect(all.gone.rows[0]?.detail?.native).toEqual([[7, 6]]);
});

test('has native counts once, of processes that live, have ended, or are in the archive', async () => {
  const native = [
    [7, 3],
    [9, 2],
  ] as const;
  const rows = [{ labels, cells: [3, 2, 0.1], detail: { start: 1, native, exemplars: [] } }];
  const readings = () => {
    const aggregation = make();
    const sources = [new Source(1), new Source(2)] as const;
    for (const source of sources) aggregation.read(source, { metrics: [], rows });
    return { aggregation, sources };
  };
  const archived = readings();
  for (const source of archived.sources) archived.aggregation.retire(source);
  const { aggregation, sources } = readings();
  const twice = native.map(([cell, count]) => [cell, 2 * count]);
  expect(await nativeOf(aggregation)).toEqual(twice);
  aggregation.retire(sources[0]);
  expect(await nativeOf(aggregation)).toEqual(twice);
  aggregation.forget(sources[1]);
  for (let time = 0; time < 2; time++) {
    aggregation.gone = archived.aggregation.gone;
    expect(await nativeOf(aggregation)).toEqual(twice);
  }
});
