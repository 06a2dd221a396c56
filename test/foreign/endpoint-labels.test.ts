import { EndpointLabels } from '../../src/foreign/endpoint-labels';
import { RequestMetrics } from '../../src/metrics/request-metrics';

function labelled(max: number) {
  const overflowed: string[] = [];
  const errors: unknown[] = [];
  const metrics = new RequestMetrics([1]);
  const labels = new EndpointLabels({
    metrics,
    max,
    onOverflow: (label) => overflowed.push(label),
    onError: (err) => errors.push(err),
  });
  return { labels, metrics, overflowed, errors };
}

test('a label has one endpoint', () => {
  const { labels } = labelled(2);
  expect(labels.endpoint('/a').template).toBe('/a');
  expect(labels.endpoint('/a')).toBe(labels.endpoint('/a'));
});

test('what is beyond the limit is overflow, said once; what was there before keeps its name', () => {
  const { labels, overflowed } = labelled(2);
  const templates = ['/a', '/b', '/c', '/d', '/a'].map((label) => labels.endpoint(label).template);
  expect(templates).toEqual(['/a', '/b', 'overflow', 'overflow', '/a']);
  expect(overflowed).toEqual(['/c']);
});

test('a label that is too long for a route is overflow', () => {
  const { labels, overflowed } = labelled(1_000);
  expect(labels.endpoint('x'.repeat(100_000)).template).toBe('overflow');
  expect(overflowed).toEqual(['x'.repeat(512)]);
});

test('a label that cannot be told is unmatched, said once', () => {
  const { labels, metrics, errors } = labelled(2);
  const failing = labels.late(() => {
    throw new Error('no label');
  });
  for (let n = 0; n < 2; n += 1) failing.observe('GET', 200, 0.1);
  labels.late(() => undefined).observe('GET', 200, 0.1);
  expect(metrics.rows.map(({ labels: { endpoint } }) => endpoint)).toEqual(['unmatched']);
  expect(errors).toEqual([new Error('no label')]);
});
