import { RequestMetrics, type RowLabels, memoryRows } from '../../src/metrics/request-metrics';

test('a bucket has what is at most its bound, the last one the rest; the sum is exact', () => {
  const metrics = new RequestMetrics([0.1, 1]);
  for (const seconds of [0, 0.1, 0.25, 1, 1.5]) metrics.endpoint('/').observe('GET', 200, seconds);
  expect(metrics.rows).toHaveLength(1);
  expect([...metrics.rows[0]!.cells]).toEqual([2, 2, 1, 2.85]);
});

test('a row for each method, endpoint and status, and the same one again', () => {
  const metrics = new RequestMetrics([1]);
  for (let i = 0; i < 2; i++) {
    metrics.endpoint('/').observe('GET', 200, 0);
    metrics.endpoint('/').observe('GET', 404, 0);
    metrics.endpoint('/').observe('POST', 200, 0);
    metrics.endpoint('/x').observe('GET', 200, 0);
  }
  expect(
    metrics.rows.map(({ labels: { method, endpoint, status } }) => `${method} ${endpoint} ${status}`),
  ).toEqual(['GET / 200', 'GET / 404', 'POST / 200', 'GET /x 200']);
  expect(metrics.rows.map(({ cells }) => cells[0])).toEqual([2, 2, 2, 2]);
});

test('methods that no RFC of HTTP itself has share one row', () => {
  const metrics = new RequestMetrics([1]);
  for (const method of ['PROPFIND', 'get', 'BREW', '__proto__', 'OTHER'])
    metrics.endpoint('/').observe(method, 200, 0);
  expect(metrics.rows.map(({ labels }) => labels.method)).toEqual(['OTHER']);
  expect(metrics.rows[0]!.cells[0]).toBe(5);
});

test('a row is committed after each change, and never before', () => {
  const buckets = [1];
  const memory = memoryRows(buckets);
  const committed: number[][] = [];
  const append = (labels: RowLabels, start: number) => {
    const row = memory.append(labels, start);
    return { ...row, commit: () => committed.push([...row.cells]) };
  };
  const metrics = new RequestMetrics(buckets, { append });
  metrics.endpoint('/').observe('GET', 200, 0.5);
  metrics.endpoint('/').observe('GET', 200, 2);
  expect(committed).toEqual([
    [1, 0, 0.5],
    [1, 1, 2.5],
  ]);
});
