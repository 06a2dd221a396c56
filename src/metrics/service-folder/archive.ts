import { setImmediate } from 'node:timers/promises';
import { Aggregation, type Counts } from '../aggregation/aggregation.js';
import { LedgerSource } from '../aggregation/ledger-source.js';
import { EXIT_REASONS, type ExitReason } from '../supervision-metrics.js';
import { forgetLabels } from './admitted-labels.js';
import { parseCounts } from './archived-counts.js';
import { laterReport, readReport, type Report } from './process-report.js';
import type { ServiceFolder } from './service-folder.js';
import { SharedValue } from './shared-value.js';

export type Exits = Readonly<Record<ExitReason, number>>;

/** The counts that ended processes of a service have left. */
export interface Archive {
  /** The time when it was begun, in ms since 1970; undefined if there is none yet. */
  readonly since?: number;
  /** The ids of the processes whose counts are in it. */
  readonly folded: readonly number[];
  readonly exits: Exits;
  /** The number of lost lines of the log, which a primary counts for all its workers. */
  readonly linesLost: number;
  readonly counts: Counts;
}

const VERSION = 2;

const NO_EXITS: Exits = { drained: 0, recycled: 0, crashed: 0, killed: 0, hung: 0, boot_failed: 0 };
export const EMPTY: Archive = {
  folded: [],
  exits: NO_EXITS,
  linesLost: 0,
  counts: { rows: [], metrics: [] },
};

/** The number of processes to remember as folded: more than can end during one scrape. */
export const REMEMBERED = 1_000;

export interface CountArchiveOptions {
  readonly folder: ServiceFolder;
  /** Upper bounds of the request histogram in seconds, ascending, without +Inf. */
  readonly buckets: readonly number[];
  /** Called with a message about counts that have to begin anew. */
  readonly onLoss: (message: string) => void;
  /** Returns the last report of a process that was read from it, which can be later than its file. */
  readonly lastReport?: (id: number) => Report | undefined;
}

/**
 * Keeps the counts of ended processes, each once, whichever process notices the end
 * and whatever fails in between.
 */
export class CountArchive {
  readonly #folder: ServiceFolder;
  readonly #buckets: readonly number[];
  readonly #onLoss: (message: string) => void;
  readonly #lastReport: (id: number) => Report | undefined;
  readonly #shared: SharedValue;
  #last: { readonly value: unknown; readonly archive: Archive } = { value: undefined, archive: EMPTY };

  constructor({ folder, buckets, onLoss, lastReport = () => undefined }: CountArchiveOptions) {
    this.#folder = folder;
    this.#buckets = buckets;
    this.#onLoss = onLoss;
    this.#lastReport = lastReport;
    this.#shared = new SharedValue(folder.path, 'archive', (path) =>
      onLoss(`${path} is damaged: the counts in it are lost`),
    );
  }

  /** Reads the archive; the same object as before while it is unchanged. Throws if it cannot be read. */
  read(): Archive {
    return this.#parse(this.#shared.read());
  }

  /**
   * Takes in the counts of these processes, unless it has them already, and removes their files. Pauses after
   * each process. Rejects if it fails.
   */
  async fold(gone: readonly number[]): Promise<void> {
    if (gone.length === 0) return;
    while (!(await this.#hasFolded(gone)));
    // The files are removed last: if this process ends before, the next one finds the ids in the archive.
    for (const id of gone) this.#folder.remove(id);
  }

  /**
   * Tries to take these processes in. Resolves with false when another process has changed the archive
   * meanwhile.
   */
  async #hasFolded(gone: readonly number[]): Promise<boolean> {
    const value = this.#shared.read();
    const archive = this.#parse(value);
    const unknown = gone.filter((id) => !archive.folded.includes(id));
    if (unknown.length === 0) return true;
    const changed = this.#format(await this.#add(archive, unknown));
    let isOurs = false;
    this.#shared.update((now) => {
      isOurs = now === value;
      return isOurs ? changed : undefined;
    });
    return isOurs;
  }

  /** Replaces the archive, if nobody else writes. Throws if it fails. */
  replace(archive: Archive): void {
    this.#shared.update(() => this.#format(archive));
  }

  /** Puts the archive back after somebody has removed it, unless what is there has all that is known. */
  restore(known: Archive): void {
    this.#shared.update((value) => {
      const all = value === undefined ? known : completed(known, this.#parse(value));
      return all && this.#format(all);
    });
  }

  /**
   * Starts from nothing, unless the archive has changed since `seen`; these
   * processes belong to the time before.
   */
  async reset(seen: Archive, gone: readonly number[]): Promise<void> {
    this.#shared.update((value) => {
      const archive = this.#parse(value);
      if (JSON.stringify(archive) !== JSON.stringify(seen)) return undefined;
      return this.#format({ ...EMPTY, folded: [...archive.folded, ...gone].slice(-REMEMBERED) });
    });
    forgetLabels(this.#folder.path);
    await this.fold(gone);
  }

  async #add(archive: Archive, gone: readonly number[]): Promise<Archive> {
    const exits = { ...archive.exits };
    const aggregation = new Aggregation({ buckets: this.#buckets, reserved: [] });
    aggregation.gone = archive.counts;
    for (const id of gone) {
      const report = laterReport(this.#lastReport(id), readReport(this.#folder.report(id)));
      exits[report?.exit ?? (report ? 'killed' : 'boot_failed')] += 1;
      const { path: folder } = this.#folder;
      const source = new LedgerSource({ folder, id, buckets: this.#buckets, birth: report?.birth ?? 0 });
      if (report) aggregation.read(source, report.snapshot);
      source.retireTo(aggregation);
      await setImmediate();
    }
    const folded = [...archive.folded, ...gone].slice(-REMEMBERED);
    return { ...archive, folded, exits, counts: aggregation.gone };
  }

  #format(archive: Archive): object {
    return { version: VERSION, buckets: this.#buckets, since: Date.now(), ...archive };
  }

  #parse(value: unknown): Archive {
    if (value === this.#last.value) return this.#last.archive;
    this.#last = { value, archive: this.#read(value) };
    return this.#last.archive;
  }

  #read(value: unknown): Archive {
    if (value === undefined) return EMPTY;
    try {
      const {
        version,
        buckets,
        since,
        folded,
        exits,
        linesLost = 0,
        counts,
      }: Record<string, unknown> = Object(value);
      if (version !== VERSION) {
        this.#onLoss(`the archive in ${this.#folder.path} is of another version: counts begin anew`);
        return EMPTY;
      }
      const areSame = JSON.stringify(buckets) === JSON.stringify(this.#buckets);
      if (!areSame) this.#onLoss('METRICS_BUCKETS has changed: the request histograms begin anew');
      return {
        since: countIn(since),
        folded: idsIn(folded),
        exits: exitsIn(exits),
        linesLost: countIn(linesLost),
        counts: parseCounts(counts, areSame),
      };
    } catch (err) {
      this.#onLoss(`the archive in ${this.#folder.path} is damaged: counts begin anew (${String(err)})`);
      return EMPTY;
    }
  }
}

/**
 * Returns an archive with all that is known and all that is there, each count once; undefined if
 * it would be the one that is there.
 */
function completed(known: Archive, there: Archive): Archive | undefined {
  const isEarlier = there.since === known.since && endsIn(there) < endsIn(known);
  if (isEarlier) return known;
  // A process that did not know the archive has begun another one.
  const isAnother = (there.since ?? 0) > (known.since ?? Infinity);
  return isAnother ? sumOf(known, there) : undefined;
}

function endsIn({ exits }: Archive): number {
  return Object.values(exits).reduce((sum, count) => sum + count, 0);
}

function sumOf(a: Archive, b: Archive): Archive {
  const exits = { ...a.exits };
  for (const reason of EXIT_REASONS) exits[reason] += b.exits[reason];
  const rows = [...a.counts.rows, ...b.counts.rows];
  const metrics = [...a.counts.metrics, ...b.counts.metrics];
  return {
    ...a,
    folded: [...a.folded, ...b.folded].slice(-REMEMBERED),
    exits,
    linesLost: a.linesLost + b.linesLost,
    counts: { rows, metrics },
  };
}

function idsIn(value: unknown): number[] {
  if (!Array.isArray(value)) throw new Error('no list of ids');
  return value.filter((id) => typeof id === 'number');
}

/** Reads the numbers of exits; 0 for a reason that the writer's version did not know. */
function exitsIn(value: unknown): Exits {
  const given: Record<string, unknown> = Object(value);
  const exits = { ...NO_EXITS };
  for (const reason of EXIT_REASONS) {
    exits[reason] = countIn(given[reason] ?? 0);
  }
  return exits;
}

function countIn(value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0)) throw new Error('no count');
  return value;
}
