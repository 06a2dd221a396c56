import * as fc from 'fast-check';
import {
  FIRST_BUCKET,
  NATIVE_CELLS,
  nativeBuckets,
  nativeCell,
  ZERO_THRESHOLD,
} from '../../src/metrics/native-buckets';

/** 2^(i/8) for i from 0 to 7, as Prometheus rounds it. */
const WITHIN_DOUBLING = [
  1, 1.0905077326652577, 1.189207115002721, 1.2968395546510096, 1.414213562373095, 1.5422108254079407,
  1.6817928305074288, 1.8340080864093422,
];

/** The upper bound of a cell. */
function bound(cell: number): number {
  const index = FIRST_BUCKET + cell - 1;
  return 2 ** Math.floor(index / 8) * WITHIN_DOUBLING[((index % 8) + 8) % 8]!;
}

test('there is a bucket for each eighth of a doubling from 2^-17 to 2^12 seconds, one below and one above', () => {
  expect(NATIVE_CELLS).toBe(29 * 8 + 2);
  expect(bound(0)).toBe(ZERO_THRESHOLD);
  expect(bound(NATIVE_CELLS - 2)).toBe(4096);
});

test('what is on a bound is in the bucket below it, what is just above in the next one', () => {
  for (let cell = 0; cell < NATIVE_CELLS - 1; cell++) {
    expect(nativeCell(bound(cell))).toBe(cell);
    expect(nativeCell(bound(cell) * (1 + Number.EPSILON))).toBe(cell + 1);
  }
});

test.each([0, -1, 1e-300, ZERO_THRESHOLD, NaN])('%p is in the zero bucket', (seconds) => {
  expect(nativeCell(seconds)).toBe(0);
});

test.each([4096.1, 1e9, 1e300, Infinity])('%p is in the last bucket', (seconds) => {
  expect(nativeCell(seconds)).toBe(NATIVE_CELLS - 1);
});

test('whatever it is, an observation is between the bounds of its bucket', () => {
  const seconds = fc.double({ min: ZERO_THRESHOLD, max: 4096, minExcluded: true, noNaN: true });
  fc.assert(
    fc.property(seconds, (value) => {
      const cell = nativeCell(value);
      expect(value).toBeGreaterThan(bound(cell - 1));
      expect(value).toBeLessThanOrEqual(bound(cell));
    }),
    { numRuns: 1000 },
  );
});

/** Decodes spans and deltas as a reader does: the count of each bucket that is not empty. */
function decoded({ spans, deltas }: ReturnType<typeof nativeBuckets>): Map<number, number> {
  const counts = new Map<number, number>();
  let index = 0;
  let at = 0;
  let count = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++) {
      count += deltas[at++] ?? NaN;
      if (count !== 0) counts.set(index, count);
      index++;
    }
  }
  expect(at).toBe(deltas.length);
  return counts;
}

test('spans and deltas say the same as the counts', () => {
  const cell = fc.tuple(fc.nat(NATIVE_CELLS - 1), fc.integer({ min: 1, max: 2 ** 40 }));
  fc.assert(
    fc.property(fc.array(cell, { maxLength: 40 }), (counted) => {
      const cells = new Float64Array(NATIVE_CELLS);
      for (const [at, count] of counted) cells[at] = count;
      const buckets = nativeBuckets(cells);
      expect(buckets.zeroCount).toBe(cells[0]);
      const expected = new Map<number, number>();
      for (let at = 1; at < NATIVE_CELLS; at++)
        if (cells[at]! > 0) expected.set(FIRST_BUCKET + at - 1, cells[at]!);
      expect(decoded(buckets)).toEqual(expected);
    }),
  );
});

test('a gap of two empty buckets is filled, a larger one begins a span', () => {
  const cells = new Float64Array(NATIVE_CELLS);
  const one = 1 - FIRST_BUCKET + 1;
  cells[one] = 5;
  cells[one + 3] = 2;
  cells[one + 7] = 1;
  expect(nativeBuckets(cells)).toEqual({
    zeroCount: 0,
    spans: [
      { offset: 1, length: 4 },
      { offset: 3, length: 1 },
    ],
    deltas: [5, -5, 0, 2, -1],
  });
});
