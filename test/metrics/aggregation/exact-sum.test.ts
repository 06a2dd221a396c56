import * as fc from 'fast-check';
import { ExactSum } from '../../../src/metrics/aggregation/exact-sum';

function added(values: readonly number[], kept: readonly number[] = []): ExactSum {
  const all = new ExactSum(kept);
  all.addAll(values);
  return all;
}
/** Sums up numbers. The sign of a zero is lost, which JSON does not keep. */
const sum = (values: readonly number[], kept?: readonly number[]): number => added(values, kept).value + 0;
const finite = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e100, max: 1e100 });

test('is exact where plain addition is not', () => {
  expect(sum([])).toBe(0);
  expect(sum([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])).toBe(1);
  expect(sum([1e100, 1, -1e100])).toBe(1);
  // Halfway between 2 ** 53 and 2 ** 53 + 2, and a little more or less.
  expect(sum([2 ** 53, 1])).toBe(2 ** 53);
  expect(sum([2 ** 53, 1, 1e-30])).toBe(2 ** 53 + 2);
  expect(sum([2 ** 53 + 2, 1, -1e-30])).toBe(2 ** 53 + 2);
});

test('does not depend on the order, nor on what was added up before', () => {
  const parts = fc.array(finite, { maxLength: 12 });
  fc.assert(
    fc.property(parts, fc.integer(), (values, seed) => {
      const shuffled = values.toSorted((a, b) => Math.sin(a + seed) - Math.sin(b + seed));
      expect(sum(shuffled)).toBe(sum(values));
      const kept: number[] = JSON.parse(JSON.stringify(added(values.slice(0, 5)).parts));
      expect(sum(values.slice(5), kept)).toBe(sum(values));
    }),
    { examples: [[[-0], 0]] },
  );
});

test('does not fall when something is added', () => {
  const positive = fc.double({ noNaN: true, min: 0, max: 1e12 });
  fc.assert(
    fc.property(fc.array(positive, { maxLength: 12 }), positive, (values, more) => {
      expect(sum([...values, more])).toBeGreaterThanOrEqual(sum(values));
    }),
  );
});

test('can be made empty', () => {
  const all = added([1, 1e100]);
  all.clear();
  all.add(3);
  expect(all.value).toBe(3);
});
