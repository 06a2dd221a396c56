import { quantile } from '../../src/metrics/quantile';

const bounds = [0.1, 0.2, 1];

test.each([
  [0.5, [10, 0, 0, 0], 0.05],
  [1, [10, 0, 0, 0], 0.1],
  [0.5, [5, 5, 0, 0], 0.1],
  [0.75, [5, 5, 0, 0], 0.15],
  [0.99, [0, 0, 100, 0], 0.992],
  [0, [0, 4, 0, 0], 0.1],
])('the %d-quantile of %j is %d', (q, counts, expected) => {
  expect(quantile(q, bounds, counts)).toBeCloseTo(expected, 10);
});

test('above the highest bound nothing is known but that', () => {
  expect(quantile(0.5, bounds, [1, 0, 0, 9])).toBe(1);
});

test('of nothing there is no quantile', () => {
  expect(quantile(0.5, bounds, [0, 0, 0, 0])).toBeUndefined();
});

test('what comes behind the counts, such as the sum of a row, is no count', () => {
  expect(quantile(0.5, bounds, [10, 0, 0, 0, 1e9])).toBeCloseTo(0.05, 10);
});
