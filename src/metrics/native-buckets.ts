/*
 * The buckets of a native histogram (Prometheus, "Native Histograms"). At schema 3 bucket `i`
 * counts durations in (2^((i-1)/8), 2^(i/8)] seconds: eight buckets to each doubling, so that a
 * quantile is at most 9 % off.
 */
export const SCHEMA = 3;

/** The upper bound of the zero bucket in seconds. */
export const ZERO_THRESHOLD = 2 ** -17;

const PER_DOUBLING = 8;
/** The index of the first bucket above the zero bucket, and of the last one, up to 2^12 seconds. */
export const FIRST_BUCKET = -17 * PER_DOUBLING + 1;
const LAST_BUCKET = 12 * PER_DOUBLING;

/** The number of cells: the zero bucket, those up to 2^12 seconds, and one for longer requests. */
export const NATIVE_CELLS = 1 + LAST_BUCKET - FIRST_BUCKET + 2;

/**
 * The bounds within a doubling, 2^(1/8) to 2^(7/8), rounded as in Prometheus;
 * `2 ** (i / 8)` is one digit off.
 */
const BOUNDS = [
  1.0905077326652577, 1.189207115002721, 1.2968395546510096, 1.414213562373095, 1.5422108254079407,
  1.6817928305074288, 1.8340080864093422,
];

const value = new Float64Array(1);
const halves = new Uint32Array(value.buffer);
const HIGH = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0;

/** Returns the cell that counts an observation of this many seconds. */
export function nativeCell(seconds: number): number {
  if (!(seconds > ZERO_THRESHOLD)) return 0;
  // A logarithm can be off by the last digit: a value on a bound would be counted one bucket too high.
  value[0] = seconds;
  const high = halves[HIGH]!;
  const exponent = (high >>> 20) - 1023;
  if (exponent >= 12) return seconds === 4096 ? NATIVE_CELLS - 2 : NATIVE_CELLS - 1;
  // The same digits with the exponent 0: a value from 1 to 2.
  halves[HIGH] = (high & 0xfffff) | 0x3ff00000;
  const fraction = value[0];
  // A fraction of 1 is the upper bound of the doubling below.
  let bound = fraction > 1 ? 1 : 0;
  if (fraction > BOUNDS[3]!) bound = 5;
  while (bound > 0 && bound < PER_DOUBLING && fraction > BOUNDS[bound - 1]!) bound++;
  return exponent * PER_DOUBLING + bound - FIRST_BUCKET + 1;
}

/**
 * Native buckets in the form of Prometheus: runs of buckets, and each count as the
 * difference from the one before.
 */
export interface NativeBuckets {
  readonly zeroCount: number;
  readonly spans: readonly { readonly offset: number; readonly length: number }[];
  readonly deltas: readonly number[];
}

/** The most empty buckets in a span: a longer gap is cheaper as a new span. */
const MAX_GAP = 2;

/** Makes the buckets of `NATIVE_CELLS` counts. */
export function nativeBuckets(cells: ArrayLike<number>): NativeBuckets {
  const spans: { offset: number; length: number }[] = [];
  const deltas: number[] = [];
  let end = 1 - FIRST_BUCKET;
  let last = 0;
  for (let cell = 1; cell < NATIVE_CELLS; cell++) {
    const count = cells[cell]!;
    if (count === 0) continue;
    const span = spans.at(-1);
    if (span && cell - end <= MAX_GAP) {
      span.length += cell - end + 1;
      for (; end < cell; end++, last = 0) deltas.push(0 - last);
    } else spans.push({ offset: cell - end, length: 1 });
    deltas.push(count - last);
    last = count;
    end = cell + 1;
  }
  return { zeroCount: cells[0]!, spans, deltas };
}
