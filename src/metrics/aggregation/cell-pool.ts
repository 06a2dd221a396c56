import { NATIVE_CELLS } from '../native-buckets.js';

/**
 * Takes the native cells of many rows from few pieces of memory: an allocation for
 * each costs more than its use.
 */
export class CellPool {
  #piece = new Float64Array(0);
  #used = 0;
  readonly #free: Float64Array[] = [];

  take(): Float64Array {
    const free = this.#free.pop();
    if (free) return free.fill(0);
    if (this.#used === this.#piece.length) {
      this.#piece = new Float64Array(32 * NATIVE_CELLS);
      this.#used = 0;
    }
    return this.#piece.subarray(this.#used, (this.#used += NATIVE_CELLS));
  }

  /** Takes back cells that nobody uses any more. */
  give(cells: Float64Array): void {
    this.#free.push(cells);
  }
}
