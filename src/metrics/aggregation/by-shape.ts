import type { SnapshotMetric } from '../snapshot/snapshot.js';

/**
 * Keeps what was made of a metric for all others of its shape, which differ from it only in their numbers.
 */
export class ByShape<T> {
  readonly #known = new WeakMap<object, T>();

  /** Returns what is known of the metric's shape, or else makes it. */
  of({ shape }: SnapshotMetric, make: () => T): T {
    if (!shape) return make();
    const known = this.#known.get(shape);
    if (known) return known;
    const made = make();
    this.#known.set(shape, made);
    return made;
  }
}
