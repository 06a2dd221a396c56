import { setImmediate } from 'node:timers/promises';
import type { Aggregation } from '../aggregation/aggregation.js';
import { LedgerSource } from '../aggregation/ledger-source.js';
import type { Keeper } from './keeper.js';

/**
 * The counts that earlier primaries of the service and their workers have left. To add up thousands of rows
 * takes longer than a start may: nothing is read before it is asked for.
 */
export class Inheritance {
  readonly #keeper: Keeper;
  readonly #aggregation: Aggregation;
  readonly #place: { readonly folder: string; readonly buckets: readonly number[] };
  /** The workers of an earlier primary by id; undefined before `begin`. */
  #orphans: Map<number, LedgerSource> | undefined;

  constructor(
    keeper: Keeper,
    aggregation: Aggregation,
    place: { readonly folder: string; readonly buckets: readonly number[] },
  ) {
    this.#keeper = keeper;
    this.#aggregation = aggregation;
    this.#place = place;
  }

  /** The workers of an earlier primary that still run, for a moment after it was killed. */
  get running(): Iterable<LedgerSource> {
    return this.#orphans?.values() ?? [];
  }

  /** Takes in the archive, unless that is done. To be called before this primary adds counts to the gone. */
  begin(): Map<number, LedgerSource> {
    if (this.#orphans) return this.#orphans;
    this.#aggregation.gone = this.#keeper.gone;
    const sourceOf = (id: number) => new LedgerSource({ ...this.#place, id, birth: 0 });
    return (this.#orphans = new Map(this.#keeper.leftovers().map((id) => [id, sourceOf(id)])));
  }

  /**
   * Retires the orphans that have ended, with a pause after each. Several calls at a time share the work.
   * @returns whether there were any orphans, ended or not
   */
  async retire(): Promise<boolean> {
    const orphans = this.begin();
    const wereThere = orphans.size > 0;
    for (const [id, orphan] of orphans) {
      const lastWord = this.#keeper.lastWord(id);
      if (lastWord) this.#aggregation.read(orphan, lastWord);
      if (!orphan.isRunning) {
        orphan.retireTo(this.#aggregation);
        orphans.delete(id);
        this.#keeper.retire(id);
      }
      await setImmediate();
    }
    return wereThere;
  }
}
