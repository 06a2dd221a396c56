import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Counts } from '../aggregation/aggregation.js';
import type { Keeper } from '../exposition/cluster-registry.js';
import { ledgerPath } from '../ledger/ledger.js';
import type { Snapshot } from '../snapshot/snapshot.js';
import type { ExitReason } from '../supervision-metrics.js';
import { type Archive, CountArchive, EMPTY, REMEMBERED } from './archive.js';
import { readReport } from './process-report.js';
import type { ServiceFolder } from './service-folder.js';

export interface CountKeeperOptions {
  readonly folder: ServiceFolder;
  /** Names this process in the folder. */
  readonly owner: number;
  /** Upper bounds of the request histogram in seconds, ascending, without +Inf. */
  readonly buckets: readonly number[];
  /** Whether counts go on where an earlier primary's ended, and stay for a later one. */
  readonly keep: boolean;
  /** Whether the folder is of no use to anybody after this process. */
  readonly isTemporary: boolean;
  /** How many lines of the log this service has lost so far. */
  readonly linesLost: () => number;
  /** Called with what has to begin anew, and why. */
  readonly onLoss: (message: string) => void;
  /** Called for the first time that the archive can't be written. */
  readonly onError: (err: unknown) => void;
}

/**
 * Keeps the counts of a primary's workers for the primary that comes after it. Until `takeCharge` nothing in the folder is changed:
 * a service that can't have its port leaves everything as it was.
 */
export class CountKeeper implements Keeper {
  readonly #options: CountKeeperOptions;
  readonly #archive: CountArchive;
  readonly #before: Archive;
  readonly #exits: Record<ExitReason, number>;
  readonly #own = new Set<number>();
  #folded: readonly number[];
  /** Whose counts are among the gone; their files may go when that is saved. */
  #retired: number[] = [];
  /** Whose counts an earlier primary has folded, but whose files it had no time to remove. */
  readonly #stale: number[] = [];
  #inCharge = false;
  #linesLostSaved = 0;
  #dirty = true;
  #failed = false;

  constructor(options: CountKeeperOptions) {
    this.#options = options;
    this.#archive = new CountArchive(options);
    this.#before = options.keep ? this.#read() : EMPTY;
    this.since = this.#before.since ?? Date.now();
    this.#exits = { ...this.#before.exits };
    this.#folded = [...this.#before.folded];
    this.#own.add(options.owner);
  }

  /** Worker exits of this primary and those before it. */
  get exits(): Readonly<Record<ExitReason, number>> {
    return this.#exits;
  }

  /** Lines of the log that this primary and those before it have lost. */
  get linesLost(): number {
    return this.#before.linesLost + this.#options.linesLost();
  }

  /** A name for the files of a worker that is to be forked. */
  newId(): number {
    // A ledger has 32 bits for it.
    const id = randomInt(1, 2 ** 32);
    this.#own.add(id);
    return id;
  }

  countExit(reason: ExitReason): void {
    this.#exits[reason] += 1;
    this.#dirty = true;
  }

  /** Since when this service and those before it have counted, in ms since 1970. */
  readonly since: number;

  get gone(): Counts {
    return this.#before.counts;
  }

  leftovers(): number[] {
    const { folder, keep } = this.#options;
    const leftovers = folder
      .ids()
      .filter((id) => this.#hasCounts(id) && !this.#own.has(id) && !this.#folded.includes(id));
    this.#stale.push(...folder.ids().filter((id) => this.#folded.includes(id)));
    if (keep) return leftovers;
    this.#retired.push(...leftovers);
    return [];
  }

  lastWord(id: number): Snapshot | undefined {
    return readReport(this.#options.folder.report(id))?.snapshot;
  }

  retire(id: number): void {
    // One of an earlier primary, which has ended with it.
    if (!this.#own.has(id)) this.#exits.killed += 1;
    this.#retired.push(id);
    this.#dirty = true;
  }

  takeCharge(): void {
    if (this.#inCharge) return;
    this.#inCharge = true;
    const { folder } = this.#options;
    // What earlier primaries have left but counts.
    for (const id of folder.ids()) if (!this.#own.has(id) && !this.#hasCounts(id)) folder.remove(id);
  }

  #hasCounts(id: number): boolean {
    const { folder } = this.#options;
    return existsSync(ledgerPath(folder.path, id)) || existsSync(folder.report(id));
  }

  save(gone: () => Counts): void {
    const { linesLost } = this;
    if (!this.#inCharge || (!this.#dirty && linesLost === this.#linesLostSaved)) return;
    const { folder, onError } = this.#options;
    try {
      const folded = [...this.#folded, ...this.#retired].slice(-REMEMBERED);
      this.#archive.replace({ since: this.since, folded, exits: this.#exits, linesLost, counts: gone() });
      this.#linesLostSaved = linesLost;
      // The files last: whoever comes after a sudden end finds the ids in the archive.
      for (const id of [...this.#retired, ...this.#stale.splice(0)]) folder.remove(id);
      for (const id of this.#retired) this.#own.delete(id);
      this.#folded = folded;
      this.#retired = [];
      this.#dirty = false;
    } catch (err) {
      if (!this.#failed) onError(err);
      this.#failed = true;
    }
  }

  /** To be called when the folder was removed and made anew: what is known is written there. */
  saveAnew(gone: () => Counts): void {
    this.#dirty = true;
    this.save(gone);
  }

  /** To be called at the end of this process, when its workers have ended. */
  leave(gone: () => Counts): void {
    const { folder, keep, isTemporary, owner } = this.#options;
    if (isTemporary || (this.#inCharge && !keep)) return folder.removeAll();
    this.save(gone);
    for (const id of this.#inCharge ? [owner] : this.#own) folder.remove(id);
    folder.removeIfEmpty();
  }

  #read(): Archive {
    try {
      return this.#archive.read();
    } catch (err) {
      this.#options.onLoss(`the archive in ${this.#options.folder.path} can't be read: ${String(err)}`);
      return EMPTY;
    }
  }
}
