/**
 * A sum of floating-point numbers that was never rounded: its parts, from the smallest to the largest, do not overlap. In whatever
 * order numbers are added, the sum is the same; with plain addition the last digit depends on the order, and what is summed up anew
 * by each process could fall. (J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997: GROW-EXPANSION)
 */
export type ExactSum = readonly number[];

/** The value has to be finite. */
export function addExactly(sum: ExactSum, value: number): ExactSum {
  const parts: number[] = [];
  let carry = value;
  for (const part of sum) {
    const [large, small] = Math.abs(carry) < Math.abs(part) ? [part, carry] : [carry, part];
    carry = large + small;
    const lost = small - (carry - large);
    if (lost !== 0) parts.push(lost);
  }
  return [...parts, carry];
}

/** The number that is nearest to the sum; of two, the even one. */
export function rounded(sum: ExactSum): number {
  let at = sum.length - 1;
  let value = sum[at] ?? 0;
  let lost = 0;
  while (at > 0 && lost === 0) {
    const small = sum[--at] ?? 0;
    const large = value;
    value = large + small;
    lost = small - (value - large);
  }
  // Halfway between two numbers, if it were not for the parts that are left: they decide.
  const rest = sum[at - 1] ?? 0;
  if (lost === 0 || rest === 0 || lost < 0 !== rest < 0) return value;
  const other = value + 2 * lost;
  return 2 * lost === other - value ? other : value;
}
