import { Aggregation, type Counts } from '../metrics/exposition/aggregation.js';
import { LedgerSource } from '../metrics/exposition/ledger-source.js';
import type { ExitReason } from '../metrics/supervision-metrics.js';
import type { SiblingFolder } from './sibling-folder.js';
import { readReport } from './sibling-report.js';
import { SharedValue } from './shared-value.js';

/** What the instances that are gone have left. */
export interface Archive {
  readonly version: 1;
  /** When it was begun, in ms since 1970. */
  readonly since?: number;
  /** Whose counts are in it. */
  readonly folded: readonly number[];
  readonly exits: Readonly<Record<ExitReason, number>>;
  readonly counts: Counts;
}

const EMPTY: Archive = {
  version: 1,
  folded: [],
  exits: { drained: 0, recycled: 0, crashed: 0, killed: 0, hung: 0, boot_failed: 0 },
  counts: { rows: [], metrics: [] },
};

/** How many instances are remembered as folded: more than can end while one scrape is made. */
const REMEMBERED = 1_000;

/** Keeps the counts of instances that are gone, each of them once, whoever notices and whatever fails in between. */
export class SiblingArchive {
  readonly #folder: SiblingFolder;
  readonly #buckets: readonly number[];
  readonly #shared: SharedValue;

  constructor(folder: SiblingFolder, buckets: readonly number[]) {
    this.#folder = folder;
    this.#buckets = buckets;
    this.#shared = new SharedValue(folder.path, 'archive');
  }

  /** Throws when it cannot be read. */
  read(): Archive {
    return parseArchive(this.#shared.read());
  }

  /** Takes in what these instances have counted, unless it is in already, and removes their files. Throws when it fails. */
  fold(gone: readonly number[]): void {
    if (gone.length === 0) return;
    this.#shared.update((value) => {
      const archive = parseArchive(value);
      const unknown = gone.filter((id) => !archive.folded.includes(id));
      return unknown.length > 0 ? this.#add(archive, unknown) : undefined;
    });
    // The files last: if this process ends before, the next one that looks finds the ids in the archive.
    for (const id of gone) this.#folder.remove(id);
  }

  /** Starts from nothing, unless somebody has changed what was `seen`; these instances are of the time before. */
  reset(seen: Archive, gone: readonly number[]): void {
    this.#shared.update((value) => {
      const archive = parseArchive(value);
      if (JSON.stringify(archive) !== JSON.stringify(seen)) return undefined;
      return { ...EMPTY, since: Date.now(), folded: [...archive.folded, ...gone].slice(-REMEMBERED) };
    });
    this.fold(gone);
  }

  #add(archive: Archive, gone: readonly number[]): Archive {
    const exits = { ...archive.exits };
    const aggregation = new Aggregation({ buckets: this.#buckets, reserved: [] });
    aggregation.gone = archive.counts;
    for (const id of gone) {
      const report = readReport(this.#folder.report(id));
      exits[report?.exit ?? (report ? 'killed' : 'boot_failed')] += 1;
      const source = new LedgerSource({
        folder: this.#folder.path,
        generation: id,
        buckets: this.#buckets,
        birth: report?.birth ?? 0,
      });
      if (report) aggregation.read(source, report.snapshot);
      source.retireTo(aggregation);
    }
    const folded = [...archive.folded, ...gone].slice(-REMEMBERED);
    return { ...archive, folded, exits, counts: aggregation.gone };
  }
}

/** Only instances of this app can write here, so that what is of this version is whole. */
function parseArchive(value: unknown): Archive {
  const isOurs = typeof value === 'object' && value !== null && 'version' in value && value.version === 1;
  if (!isOurs) return EMPTY;
  const archive = value as Archive; // as above
  // One of an earlier release has fewer reasons.
  return { ...archive, exits: { ...EMPTY.exits, ...archive.exits } };
}
