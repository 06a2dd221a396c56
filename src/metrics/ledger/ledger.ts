import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { type CounterRow, type CounterSeries, type CounterStore, memoryCounter } from '../counter-row.js';
import { memoryRow, type Row, type RowLabels, type RowStore } from '../request-metrics.js';
import { RowDetail } from '../row-detail.js';
import { labelKey } from '../snapshot/label-text.js';
import { counterHeader, counterPath, encodeCounter } from './counter-file.js';
import { detailAt, detailPath, encodeDetailHeader } from './detail-file.js';
import { LedgerFile, type Region } from './ledger-file.js';
import { cellsPerRow, encodeHeader, encodeRow, type LedgerHeader } from './ledger-format.js';
import { startTime } from './process-identity.js';
import { errorOf } from '../../thrown.js';

export interface LedgerOptions {
  /** The service's folder. */
  readonly folder: string;
  /** The number in the names of the files; unique for the life of the primary. */
  readonly generation: number;
  /** Upper bounds in seconds, ascending, without +Inf. */
  readonly buckets: readonly number[];
  /** Called for the first error only: later ones follow from it, and are counted. */
  readonly onError: (err: Error) => void;
  /** Whether to map the files where that is possible. Default true. */
  readonly map?: boolean;
}

const WATCH_MS = 1_000;

/**
 * A worker's request counts and durable counters in files that outlive it: a count survives when the process
 * is killed the next moment. If the files cannot be made or written, counts stay in memory: `memoryOnly`
 * lists the rows, a counter is no longer `isKept`, and nothing throws.
 */
export class Ledger implements RowStore, CounterStore {
  readonly path: string;
  /** The number of failed writes. */
  errors = 0;
  readonly #options: LedgerOptions;
  /** The open files; undefined if they could not be made, or are closed. */
  #files: Files | undefined;
  readonly #memory: Row[] = [];
  /** The rows that are in the files, in their order. */
  #rows: LedgerRow[] = [];
  /** The counts of durable counters by name and labels, whether they are in the files or not. */
  readonly #counters = new Map<string, LedgerCounter>();

  /** Creates the worker's files. Does not throw. */
  static open(options: LedgerOptions): Ledger {
    const ledger = new Ledger(options);
    ledger.#begin();
    return ledger;
  }

  private constructor(options: LedgerOptions) {
    this.#options = options;
    this.path = ledgerPath(options.folder, options.generation);
  }

  /** Whether counts reach the files by a store to memory; otherwise each `commit` writes them. */
  get mapped(): boolean {
    const { rows, details } = this.#files ?? {};
    return rows?.isMapped === true && details?.isMapped === true;
  }

  append(labels: RowLabels, start: number): Row {
    const row: LedgerRow = memoryRow(labels, start, this.#options.buckets);
    this.#keep(row);
    return row;
  }

  /** Returns the count of this series, also to a counter that was removed and made again. */
  appendCounter(series: CounterSeries): CounterRow {
    const key = series.name + labelKey(series.labels);
    let row = this.#counters.get(key);
    if (row) return row;
    this.#counters.set(key, (row = memoryCounter(series)));
    this.#keepCounter(row);
    return row;
  }

  /** Returns the rows that are in no file: they have to be sent in snapshots. */
  memoryOnly(): readonly Row[] {
    return this.#memory;
  }

  /** Checks every second whether somebody has removed the files, and makes them anew if so. */
  watch(): void {
    setInterval(() => this.restore(), WATCH_MS).unref();
  }

  /** Makes removed files anew with all counts, as soon as their folder exists. */
  restore(): void {
    const isRemoved = Object.values(this.#files ?? {}).some((file) => file.isRemoved);
    if (!isRemoved || !existsSync(this.#options.folder)) return;
    this.close();
    const [rows, counters] = [this.#rows, [...this.#counters.values()]];
    this.#rows = [];
    this.#begin('.new');
    for (const row of rows) this.#keep(row);
    for (const row of counters) this.#keepCounter(row, '.new');
    for (const { commit } of [...rows, ...counters]) commit();
    // The files get their names when all rows are in them: when this process is killed, half of
    // the rows would pass for all.
    this.#attempt((files) => {
      for (const name of FILES) if (files[name]) renameSync(this.#pathOf(name, '.new'), this.#pathOf(name));
    });
  }

  /** Closes the files. They stay, for the primary to read; counts go on in memory. */
  close(): void {
    for (const file of Object.values(this.#files ?? {})) file.close();
    this.#files = undefined;
  }

  /** Creates the files. Does not throw. */
  #begin(suffix = ''): void {
    let rows: LedgerFile | undefined;
    try {
      rows = this.#create('rows', suffix);
      this.#files = { rows, details: this.#create('details', suffix) };
    } catch (err) {
      rows?.close();
      this.#failed(err);
    }
  }

  #create(name: keyof Files, suffix = ''): LedgerFile {
    const { generation, buckets, map = true } = this.#options;
    const header = { generation, pid: process.pid, startTime: startTime(process.pid) ?? 0, buckets };
    return new LedgerFile(this.#pathOf(name, suffix), HEADS[name](header), map);
  }

  #pathOf(name: keyof Files, suffix = ''): string {
    const { folder, generation } = this.#options;
    return PATHS[name](folder, generation) + suffix;
  }

  /**
   * Moves a row to the files, or to memory if that fails. The holders of the row go on with the same object.
   */
  #keep(row: LedgerRow): void {
    const { buckets } = this.#options;
    row.commit = nothing;
    const isKept = this.#attempt(({ rows, details }) => {
      const { bytes, cellsAt } = encodeRow(row.labels, cellsPerRow(buckets));
      const detail = details.place(row.detail.words, detailAt(this.#rows.length, buckets));
      const cells = rows.append(bytes, cellsAt);
      cells.words.set(row.cells);
      row.cells = cells.words;
      row.detail = new RowDetail(detail.words);
      row.commit = this.#writer([detail, cells], () => this.#memory.push(row));
      this.#rows.push(row);
    });
    if (!isKept) this.#memory.push(row);
  }

  #keepCounter(row: LedgerCounter, suffix = ''): void {
    row.commit = nothing;
    row.isKept = this.#attempt((files) => {
      const { bytes, cellsAt } = encodeCounter(row.series);
      files.counters ??= this.#create('counters', suffix);
      const cells = files.counters.append(bytes, cellsAt);
      cells.words.set(row.cells);
      row.cells = cells.words;
      row.commit = this.#writer([cells], () => (row.isKept = false));
    });
  }

  /** Makes a `commit`. When it fails, `onLost` is called, and the count stays in memory for good. */
  #writer(regions: readonly Region[], onLost: () => void): () => void {
    const writes = regions.flatMap(({ write }) => write ?? []);
    if (writes.length === 0) return nothing;
    let isLost = false;
    return () => {
      if (isLost) return;
      try {
        for (const write of writes) write();
      } catch (err) {
        isLost = true;
        onLost();
        this.#failed(err);
      }
    };
  }

  /** Tells whether `action` could be done: there are files, and they can be written. */
  #attempt(action: (files: Files) => void): boolean {
    if (!this.#files) return false;
    try {
      action(this.#files);
      return true;
    } catch (err) {
      this.#failed(err);
      return false;
    }
  }

  #failed(err: unknown): void {
    this.errors++;
    if (this.errors === 1) this.#options.onError(errorOf(err));
  }
}

/** A row that its ledger can move. */
type LedgerRow = { -readonly [K in keyof Row]: Row[K] };
type LedgerCounter = { -readonly [K in keyof CounterRow]: CounterRow[K] };

interface Files {
  readonly rows: LedgerFile;
  readonly details: LedgerFile;
  /** The file of durable counters, from the first one on. */
  counters?: LedgerFile;
}

const FILES = ['details', 'rows', 'counters'] as const satisfies (keyof Files)[];

const PATHS = { rows: ledgerPath, details: detailPath, counters: counterPath };

const HEADS = {
  rows: encodeHeader,
  details: encodeDetailHeader,
  counters: (ledger: LedgerHeader) => encodeHeader(counterHeader(ledger)),
};

const nothing = (): void => {};

/** Returns the path of a generation's ledger. */
export function ledgerPath(folder: string, generation: number): string {
  return join(folder, `${generation}.ledger`);
}
