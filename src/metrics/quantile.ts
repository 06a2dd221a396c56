/**
 * Estimates a quantile of a histogram, in seconds, as Prometheus's `histogram_quantile` does: linearly within
 * its bucket, or the highest bound if it lies above that. Undefined for an empty histogram.
 * @param q 0 to 1
 * @param bounds upper bounds, ascending, without +Inf
 * @param counts by bucket, not cumulative; the one after the last bound is +Inf's,
 *   and further ones are ignored
 */
export function quantile(
  q: number,
  bounds: readonly number[],
  counts: ArrayLike<number>,
): number | undefined {
  let total = 0;
  for (let i = 0; i <= bounds.length; i++) total += counts[i] ?? 0;
  if (total === 0) return undefined;
  let below = 0;
  for (const [i, bound] of bounds.entries()) {
    const count = counts[i] ?? 0;
    if (count > 0 && below + count >= q * total) {
      const lower = bounds[i - 1] ?? 0;
      return lower + (bound - lower) * Math.max(0, (q * total - below) / count);
    }
    below += count;
  }
  return bounds.at(-1);
}
