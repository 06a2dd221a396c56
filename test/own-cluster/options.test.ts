import { clusterMetrics } from '../../src/own-cluster/metrics';
import { memoryRows, RequestMetrics } from '../../src/metrics/request-metrics';

// The real ones make a folder in the host's memory.
jest.mock('../../src/own-cluster/primary-metrics', () => ({
  PrimaryMetrics: class {
    requests = new RequestMetrics([1], memoryRows([1]));
  },
}));

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

test.each([{ prefix: 'b_' }, { prefix: 'a_', buckets: [1] }])(
  '%j of a second call is refused by name: a process has one set of counts',
  (second) => {
    const { requests } = clusterMetrics({ prefix: 'a_' });
    expect(clusterMetrics({ prefix: 'a_', token: 'x' }).requests).toBe(requests);
    expect(() => clusterMetrics(second)).toThrow(
      'clusterMetrics: expected prefix "a_" and buckets 0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10 as in the first call, got prefix ',
    );
  },
);
