import type { Place } from '../description.js';

/**
 * Tells which schemas lead to one of a kind. Each is looked at once, however many lead to it, and to itself.
 */
export class Reach {
  readonly #known = new Map<unknown, boolean>();
  readonly #next: (schema: Place) => readonly Place[];
  readonly #isOne: (schema: Place) => boolean;

  constructor(next: (schema: Place) => readonly Place[], isOne: (schema: Place) => boolean) {
    this.#next = next;
    this.#isOne = isOne;
  }

  from(schema: Place): boolean {
    const seen = new Set<unknown>();
    const found = this.#search(schema, seen);
    if (!found) for (const value of seen) this.#known.set(value, false);
    return found;
  }

  #search(schema: Place, seen: Set<unknown>): boolean {
    const known = this.#known.get(schema.value);
    if (known !== undefined) return known;
    if (seen.has(schema.value)) return false;
    seen.add(schema.value);
    const found = this.#isOne(schema) || this.#next(schema).some((next) => this.#search(next, seen));
    if (found) this.#known.set(schema.value, true);
    return found;
  }
}
