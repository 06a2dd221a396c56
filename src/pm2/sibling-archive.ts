import { addUp, allRows, type Counts, NOTHING } from '../metrics/exposition/add-up.js';
import { readLedger } from '../metrics/ledger/ledger-reader.js';
import type { Snapshot } from '../metrics/snapshot/snapshot.js';
import type { ExitReason } from '../cluster/restart-policy.js';
import type { SiblingFolder } from './sibling-folder.js';
import { readReport, type Report } from './sibling-report.js';
import { SharedValue } from './shared-value.js';

/** What the instances that are gone have left. */
export interface Archive {
  readonly version: 1;
  /** Whose counts are in it. */
  readonly folded: readonly number[];
  readonly exits: Readonly<Record<ExitReason, number>>;
  readonly counts: Counts;
}

const EMPTY: Archive = {
  version: 1,
  folded: [],
  exits: { drained: 0, recycled: 0, crashed: 0, killed: 0, hung: 0, boot_failed: 0 },
  counts: NOTHING,
};

/** How many instances are remembered as folded: more than can end while one scrape is made. */
const REMEMBERED = 1_000;

/** Keeps the counts of instances that are gone, each of them once, whoever notices and whatever fails in between. */
export class SiblingArchive {
  readonly #folder: SiblingFolder;
  readonly #shared: SharedValue;

  constructor(folder: SiblingFolder) {
    this.#folder = folder;
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
      return { ...EMPTY, folded: [...archive.folded, ...gone].slice(-REMEMBERED) };
    });
    this.fold(gone);
  }

  #add(archive: Archive, gone: readonly number[]): Archive {
    const exits = { ...archive.exits };
    const snapshots = gone.map((id) => {
      const report = readReport(this.#folder.report(id));
      exits[report?.exit ?? (report ? 'killed' : 'boot_failed')] += 1;
      return countsOf(this.#folder, id, report);
    });
    const folded = [...archive.folded, ...gone].slice(-REMEMBERED);
    return { version: 1, folded, exits, counts: addUp(archive.counts, snapshots) };
  }
}

/** All that an instance has counted: its ledger, and what its report says beyond that. */
export function countsOf(folder: SiblingFolder, id: number, report: Report | undefined): Snapshot {
  const { metrics = [], rows = [] } = report?.snapshot ?? {};
  return { metrics, rows: allRows(readLedger(folder.ledger(id))?.rows ?? [], rows) };
}

/** Only instances of this app can write here, so that what is of this version is whole. */
function parseArchive(value: unknown): Archive {
  const isOurs = typeof value === 'object' && value !== null && 'version' in value && value.version === 1;
  if (!isOurs) return EMPTY;
  const archive = value as Archive; // as above
  // One of an earlier release has fewer reasons.
  return { ...archive, exits: { ...EMPTY.exits, ...archive.exits } };
}
