/**
 * A sum of floating-point numbers that is never rounded: its parts, from the smallest to the largest, do not overlap. In whatever
 * order numbers are added, the sum is the same; with plain addition the last digit depends on the order, and what is summed up anew
 * by each process could fall. (J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997: GROW-EXPANSION)
 */
export class ExactSum {
  readonly #parts: number[];
  /** How many of them are in use: an array that is cut and grown at each addition costs more than the addition. */
  #size: number;

  /** @param parts of an earlier sum */
  constructor(parts: readonly number[] = []) {
    this.#parts = [...parts];
    this.#size = parts.length;
  }

  /** What the sum can be made of again. */
  get parts(): number[] {
    return this.#parts.slice(0, this.#size);
  }

  /** The value has to be finite. */
  add(value: number): void {
    const parts = this.#parts;
    let kept = 0;
    let carry = value;
    for (let i = 0; i < this.#size; i++) {
      const part = parts[i]!;
      const isSmaller = Math.abs(carry) < Math.abs(part);
      const large = isSmaller ? part : carry;
      const small = isSmaller ? carry : part;
      carry = large + small;
      const lost = small - (carry - large);
      if (lost !== 0) parts[kept++] = lost;
    }
    parts[kept++] = carry;
    this.#size = kept;
  }

  addAll(values: readonly number[]): void {
    for (const value of values) this.add(value);
  }

  /** Adds another sum, without rounding that either. */
  addSum(sum: ExactSum): void {
    for (let i = 0; i < sum.#size; i++) this.add(sum.#parts[i]!);
  }

  clear(): void {
    this.#size = 0;
  }

  /** The number that is nearest to the sum; of two, the even one. */
  get value(): number {
    const parts = this.#parts;
    let at = this.#size - 1;
    let value = at < 0 ? 0 : parts[at]!;
    let lost = 0;
    while (at > 0 && lost === 0) {
      const small = parts[--at]!;
      const large = value;
      value = large + small;
      lost = small - (value - large);
    }
    // Halfway between two numbers, if it were not for the parts that are left: they decide.
    const rest = at > 0 ? parts[at - 1]! : 0;
    if (lost === 0 || rest === 0 || lost < 0 !== rest < 0) return value;
    const other = value + 2 * lost;
    return 2 * lost === other - value ? other : value;
  }
}
