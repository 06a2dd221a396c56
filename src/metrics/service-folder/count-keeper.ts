import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Counts } from '../aggregation/aggregation.js';
import type { Keeper } from '../exposition/keeper.js';
import { ledgerPath } from '../ledger/ledger.js';
import type { Snapshot } from '../snapshot/snapshot.js';
import { EXIT_REASONS, type ExitReason } from '../supervision-metrics.js';
import { forgetLabels } from './admitted-labels.js';
import { type Archive, CountArchive, EMPTY, type Exits, REMEMBERED } from './archive.js';
import { readReport } from './process-report.js';
import type { ServiceFolder } from './service-folder.js';

export interface CountKeeperOptions {
  readonly folder: ServiceFolder;
  /** The random number by which this process signs its claim to the folder. */
  readonly owner: number;
  /** Upper bounds of the request histogram in seconds, ascending, without +Inf. */
  readonly buckets: readonly number[];
  /** Whether counts go on where an earlier primary's ended, and stay for a later one. */
  readonly keep: boolean;
  /** Whether nobody can find the folder after this process, so that it is removed at the end. */
  readonly isTemporary: boolean;
  /** Returns the number of lines of the log that this service has lost so far. */
  readonly linesLost: () => number;
  /** Called with a message about counts that have to begin anew. */
  readonly onLoss: (message: string) => void;
  /** Called when the archive can't be written, once until it can be again. */
  readonly onError: (err: unknown) => void;
}

/**
 * Keeps the counts of a primary's workers for the primary that comes after it. It changes nothing in the
 * folder before `takeCharge`: a service that can't get its port leaves everything as it was.
 */
export class CountKeeper implements Keeper {
  readonly #options: CountKeeperOptions;
  readonly #archive: CountArchive;
  /** The counts that earlier primaries have left; see `#before`. */
  #archived: Archive | undefined;
  readonly #begun = Date.now();
  /** The exits since this primary began. */
  readonly #exits: Record<ExitReason, number> = { ...EMPTY.exits };
  readonly #own = new Set<number>();
  /** The ids in the archive; undefined before this primary has written it. */
  #folded: readonly number[] | undefined;
  /** The workers whose counts are among the gone; their files may be removed when that is saved. */
  #retired: number[] = [];
  /** The workers whose counts an earlier primary has folded, without time to remove their files. */
  readonly #stale: number[] = [];
  #inCharge = false;
  #lost = false;
  #linesLostSaved = 0;
  #dirty = true;
  #failed = false;

  constructor(options: CountKeeperOptions) {
    this.#options = options;
    this.#archive = new CountArchive(options);
    this.#own.add(options.owner);
  }

  /** The counts that earlier primaries have left. They are read late: the service is ready before. */
  get #before(): Archive {
    return (this.#archived ??= this.#options.keep ? this.#read() : EMPTY);
  }

  /** The numbers of worker exits of this primary and those before it. */
  get exits(): Exits {
    const exits = { ...this.#before.exits };
    for (const reason of EXIT_REASONS) exits[reason] += this.#exits[reason];
    return exits;
  }

  /** The number of lines of the log that this primary and those before it have lost. */
  get linesLost(): number {
    return this.#before.linesLost + this.#options.linesLost();
  }

  /** Makes a number for the files of a new worker. */
  newId(): number {
    // A ledger has 32 bits for the number.
    const id = randomInt(1, 2 ** 32);
    this.#own.add(id);
    return id;
  }

  countExit(reason: ExitReason): void {
    this.#exits[reason] += 1;
    this.#dirty = true;
  }

  /** The time since which this service and those before it have counted, in ms since 1970. */
  get since(): number {
    return this.#before.since ?? this.#begun;
  }

  get gone(): Counts {
    return this.#before.counts;
  }

  leftovers(): number[] {
    const { folder, keep } = this.#options;
    const { folded } = this.#before;
    const leftovers = folder
      .ids()
      .filter((id) => this.#hasCounts(id) && !this.#own.has(id) && !folded.includes(id));
    this.#stale.push(...folder.ids().filter((id) => folded.includes(id)));
    if (keep) return leftovers;
    this.#retired.push(...leftovers);
    return [];
  }

  lastWord(id: number): Snapshot | undefined {
    return readReport(this.#options.folder.report(id))?.snapshot;
  }

  retire(id: number): void {
    // A worker of an earlier primary has ended with that.
    if (!this.#own.has(id)) this.#exits.killed += 1;
    this.#retired.push(id);
    this.#dirty = true;
  }

  takeCharge(): void {
    if (this.#inCharge) return;
    this.#inCharge = true;
    const { folder, keep } = this.#options;
    if (!keep) forgetLabels(folder.path);
    // Earlier primaries may have left files without counts.
    for (const id of folder.ids()) if (!this.#own.has(id) && !this.#hasCounts(id)) folder.remove(id);
  }

  changed(): void {
    this.#dirty = true;
  }

  #hasCounts(id: number): boolean {
    const { folder } = this.#options;
    return existsSync(ledgerPath(folder.path, id)) || existsSync(folder.report(id));
  }

  save(gone: () => Counts): void {
    if (this.#lost) for (const id of this.#retired.splice(0)) this.#options.folder.remove(id);
    if (!this.#inCharge || this.#lost) return;
    const { linesLost, since, exits } = this;
    if (!this.#dirty && linesLost === this.#linesLostSaved) return;
    const { folder, onError } = this.#options;
    try {
      const counts = gone();
      const folded = [...(this.#folded ?? this.#before.folded), ...this.#retired].slice(-REMEMBERED);
      this.#archive.replace({ since, folded, exits, linesLost, counts });
      this.#linesLostSaved = linesLost;
      // The files are removed last: after a sudden end the next primary finds the ids in the archive.
      for (const id of [...this.#retired, ...this.#stale.splice(0)]) folder.remove(id);
      for (const id of this.#retired) this.#own.delete(id);
      this.#folded = folded;
      this.#retired = [];
      this.#dirty = false;
      this.#failed = false;
    } catch (err) {
      if (!this.#failed) onError(err);
      this.#failed = true;
    }
  }

  /** Whether the folder belongs to another living service. */
  get isLost(): boolean {
    return this.#lost;
  }

  /** Leaves the folder to another service, which has made it anew. The counts end with this process. */
  giveUp(): void {
    this.#lost = true;
  }

  /** Writes all counts to the folder, after it was removed and made anew. */
  saveAnew(gone: () => Counts): void {
    this.changed();
    this.save(gone);
  }

  /**
   * Saves the counts and removes the other files. Called at the end of this process,
   * when its workers have ended.
   */
  leave(gone: () => Counts): void {
    const { folder, keep, isTemporary, owner } = this.#options;
    if (!this.#lost && (isTemporary || (this.#inCharge && !keep))) return folder.removeAll();
    this.save(gone);
    for (const id of this.#inCharge && !this.#lost ? [owner] : this.#own) folder.remove(id);
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
