/**
 * A sum of floating-point numbers that is never rounded. Its parts, from the smallest to the largest, do not
 * overlap. In whatever order numbers are added, the sum is the same. With plain addition the last digits
 * depend on the order, and a sum that each process makes anew could fall. (J. R. Shewchuk, "Adaptive
 * Precision Floating-Point Arithmetic", 1997: GROW-EXPANSION)
 */
export class ExactSum {
  readonly #parts: number[];
  /**
   * The number of parts in use: cutting and growing the array at each addition costs more than the addition.
   */
  #size: number;

  /** @param parts the `parts` of an earlier sum */
  constructor(parts: readonly number[] = []) {
    this.#parts = [...parts];
    this.#size = parts.length;
  }

  /** The parts, from which the same sum can be made again. */
  get parts(): number[] {
    return this.#parts.slice(0, this.#size);
  }

  /** Adds a value, which must be finite. */
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

  /** Adds another sum, without rounding it either. */
  addSum(sum: ExactSum): void {
    for (let i = 0; i < sum.#size; i++) this.add(sum.#parts[i]!);
  }

  clear(): void {
    this.#size = 0;
  }

  /** The number that is nearest to the sum; of two equally near ones, the even one. */
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
    // The last addition was halfway between two numbers: the remaining parts decide.
    const rest = at > 0 ? parts[at - 1]! : 0;
    if (lost === 0 || rest === 0 || lost < 0 !== rest < 0) return value;
    const other = value + 2 * lost;
    return 2 * lost === other - value ? other : value;
  }
}
