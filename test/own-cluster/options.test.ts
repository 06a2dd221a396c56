import { clusterMetrics } from '../../src/own-cluster/metrics';

test.each([
  [{ token: '' }, 'token: expected visible ASCII characters without spaces'],
  [{ token: 'secret\n' }, 'token: expected visible ASCII characters without spaces'],
  [{ prefix: 'my-app_' }, 'prefix: expected letters, digits, _ and :'],
  [{ buckets: [] }, 'buckets: expected at most 100 positive numbers'],
  [{ buckets: [1, 0.5] }, 'buckets: expected at most 100 positive numbers'],
])('%j is refused, and not quoted', (options, message) => {
  expect(() => clusterMetrics(options)).toThrow(message);
  expect(() => clusterMetrics(options)).not.toThrow('secret');
});
