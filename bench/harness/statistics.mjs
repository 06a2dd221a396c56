// @ts-check

/**
 * @param {readonly number[]} values
 * @returns {number} NaN of none
 */
export const median = (values) => quantile(values, 0.5);

/** @param {readonly number[]} values */
export const floor = (values) => Math.min(...values);

/** @param {readonly number[]} values */
export const highest = (values) => Math.max(...values);

/**
 * The value below which a share `q` of all values lies, between two of them in proportion.
 * @param {readonly number[]} values
 * @param {number} q  0 to 1
 */
export function quantile(values, q) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const [below = NaN, above = below] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return below + (above - below) * (at - Math.floor(at));
}

/**
 * `a` to `b`, as the median of the ratios within each round (the machine may drift from one round to the next) and as
 * the ratio of their floors.
 * @param {readonly number[]} a
 * @param {readonly number[]} b  of the same rounds
 */
export function ratio(a, b) {
  return { median: median(a.map((value, round) => value / (b[round] ?? NaN))), floors: floor(a) / floor(b) };
}
