import { addUp, allRows, NOTHING, toSnapshot } from '../../../src/metrics/exposition/add-up';
import type { Snapshot, SnapshotMetric, SnapshotValue } from '../../../src/metrics/snapshot/snapshot';

const metric = (type: SnapshotMetric['type'], name: string, values: SnapshotValue[]): SnapshotMetric => ({
  name,
  help: 'h',
  type,
  aggregator: 'sum',
  values,
});
const labels = { method: 'GET', endpoint: '/', status: 200 };

const snapshot = (factor: number): Snapshot => ({
  metrics: [
    metric('counter', 'c', [
      { labels: { a: 'x', b: 'y' }, value: factor },
      { labels: { a: 'z' }, value: 0.1 },
    ]),
    metric('histogram', 'h', [
      { metricName: 'h_bucket', labels: { le: '+Inf' }, value: factor },
      { metricName: 'h_sum', labels: {}, value: 0.1 },
    ]),
    metric('gauge', 'g', [{ labels: {}, value: 1 }]),
  ],
  rows: [{ labels, cells: [factor, 2, 0.1] }],
});

test('adds counters, histograms and rows by their labels, and leaves gauges out', () => {
  const other: Snapshot = {
    metrics: [metric('counter', 'c', [{ labels: { b: 'y', a: 'x' }, value: 5 }])],
    rows: [{ labels: { ...labels, status: 404 }, cells: [1, 0, 0.5] }],
  };
  expect(toSnapshot(addUp(NOTHING, [snapshot(1), snapshot(10), other]))).toEqual({
    metrics: [
      metric('counter', 'c', [
        { labels: { a: 'x', b: 'y' }, value: 16 },
        { labels: { a: 'z' }, value: 0.2 },
      ]),
      metric('histogram', 'h', [
        { metricName: 'h_bucket', labels: { le: '+Inf' }, value: 11 },
        { metricName: 'h_sum', labels: {}, value: 0.2 },
      ]),
    ],
    rows: [
      { labels, cells: [11, 4, 0.2] },
      { labels: { ...labels, status: 404 }, cells: [1, 0, 0.5] },
    ],
  });
});

test('gives the same whether some were added up and kept before or not', () => {
  const all = [snapshot(1), snapshot(2), snapshot(3)];
  const kept: typeof NOTHING = JSON.parse(JSON.stringify(addUp(NOTHING, all.slice(1))));
  expect(toSnapshot(addUp(kept, all.slice(0, 1)))).toEqual(toSnapshot(addUp(NOTHING, all)));
});

test('of a row that is both in the ledger and in memory the one in memory counts', () => {
  const old = { labels, cells: [1, 0, 0.1] };
  const late = { labels, cells: [3, 0, 0.3] };
  const other = { labels: { ...labels, method: 'PUT' }, cells: [1, 0, 0.1] };
  expect(allRows([old, other], [late])).toEqual([late, other]);
});
