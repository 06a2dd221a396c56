import { closeSync, constants, existsSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { detailAt, detailPath, encodeDetailHeader } from './detail-file.js';
import { cellsPerRow, encodeHeader, encodeRow, MAX_BYTES } from './ledger-format.js';
import { mapFile, type Mapping } from './ledger-mapping.js';
import { startTime } from './process-identity.js';
import { memoryRow, type Row, type RowLabels, type RowStore } from '../request-metrics.js';
import { detailWords, RowDetail } from '../row-detail.js';

export interface LedgerOptions {
  /** The service's folder. */
  readonly folder: string;
  /** The number in the names of the files; unique for the life of the primary. */
  readonly generation: number;
  /** Upper bounds in seconds, ascending, without +Inf. */
  readonly buckets: readonly number[];
  /** Called for the first error only: later ones follow from it, and are counted. */
  readonly onError: (err: Error) => void;
  /** Whether to map the file where that is possible. Default true. */
  readonly map?: boolean;
}

const WATCH_MS = 1_000;

/**
 * A worker's request counts in files that outlive it: a count survives when the process is killed
 * the next moment. If the files cannot be made or written, rows stay in memory, `memoryOnly`
 * lists them, and nothing throws.
 */
export class Ledger implements RowStore {
  readonly path: string;
  /** The number of failed writes. */
  errors = 0;
  /** The paths of the details and the rows. */
  readonly #paths: readonly [string, string];
  readonly #options: LedgerOptions;
  readonly #files: OpenFiles = { rows: undefined, details: undefined };
  readonly #memory: Row[] = [];
  /** The rows that are in the files, in their order. */
  #rows: LedgerRow[] = [];
  #mapping: { readonly rows: Mapping; readonly details: Mapping } | undefined;
  #end = 0;

  /** Creates the worker's files. Does not throw. */
  static open(options: LedgerOptions): Ledger {
    const ledger = new Ledger(options);
    ledger.#begin();
    return ledger;
  }

  private constructor(options: LedgerOptions) {
    this.#options = options;
    this.path = ledgerPath(options.folder, options.generation);
    this.#paths = [detailPath(options.folder, options.generation), this.path];
  }

  /** Whether counts reach the file by a store to memory; otherwise each `commit` writes the row. */
  get mapped(): boolean {
    return this.#mapping !== undefined;
  }

  append(labels: RowLabels, start: number): Row {
    const { rows, details } = this.#files;
    try {
      if (rows !== undefined && details !== undefined) {
        const row = this.#appendTo(rows, details, labels, start);
        this.#rows.push(row);
        return row;
      }
    } catch (err) {
      this.#failed(err);
    }
    const row = memoryRow(labels, start, this.#options.buckets);
    this.#memory.push(row);
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
    const { rows: fd } = this.#files;
    if (fd === undefined || !isRemoved(fd) || !existsSync(this.#options.folder)) return;
    this.close();
    const rows = this.#rows;
    this.#rows = [];
    this.#mapping = undefined;
    this.#begin('.new');
    for (const row of rows) this.#move(row);
    // The files get their names when all rows are in them: when this process is killed, half of
    // the rows would pass for all.
    try {
      if (this.#files.rows !== undefined) for (const path of this.#paths) renameSync(`${path}.new`, path);
    } catch (err) {
      this.#failed(err);
    }
  }

  /** Creates the files. Does not throw. */
  #begin(suffix = ''): void {
    try {
      this.#create(suffix);
    } catch (err) {
      this.#failed(err);
      this.close();
    }
  }

  /** Moves a row to the new files. The holders of the row go on with the same object. */
  #move(row: LedgerRow): void {
    const { cells, detail } = row;
    const moved = this.append(row.labels, detail.words[0] ?? 0);
    moved.cells.set(cells);
    moved.detail.words.set(detail.words);
    Object.assign(row, moved);
    row.commit();
    const all = this.#memory.includes(moved) ? this.#memory : this.#rows;
    all[all.length - 1] = row;
  }

  /** Closes the files. They stay, for the primary to read; rows go on counting in memory. */
  close(): void {
    for (const name of ['rows', 'details'] as const) {
      const fd = this.#files[name];
      if (fd !== undefined) closeSync(fd);
      this.#files[name] = undefined;
    }
  }

  #create(suffix: string): void {
    const { generation, buckets } = this.#options;
    const header = { generation, pid: process.pid, startTime: startTime(process.pid) ?? 0, buckets };
    const [detailsPath, rowsPath] = this.#paths;
    const rows = (this.#files.rows = create(rowsPath + suffix));
    const details = (this.#files.details = create(detailsPath + suffix));
    writeAll(details, encodeDetailHeader(header), 0);
    const bytes = encodeHeader(header);
    writeAll(rows, bytes, 0);
    this.#end = bytes.length;
    if (this.#options.map === false) return;
    const mapped = {
      rows: mapFile(rows, this.#options.folder),
      details: mapFile(details, this.#options.folder),
    };
    if (mapped.rows && mapped.details) this.#mapping = { rows: mapped.rows, details: mapped.details };
  }

  #appendTo(rows: number, details: number, labels: RowLabels, start: number): LedgerRow {
    const { buckets } = this.#options;
    const { bytes, cellsAt } = encodeRow(labels, cellsPerRow(buckets));
    const at = this.#end;
    const detail = {
      at: detailAt(this.#rows.length, buckets),
      words: new Float64Array(detailWords(buckets)),
    };
    if (at + bytes.length > MAX_BYTES) throw new RangeError('ledger is full');
    detail.words[0] = start;
    writeAll(details, bytesOf(detail.words), detail.at);
    // The first word is written last: until then a reader sees the end of the file. Zeros are written, not
    // skipped, because a store to a hole would end the process with SIGBUS when the storage is full.
    writeAll(rows, bytes.subarray(8), at + 8);
    writeAll(rows, bytes.subarray(0, 8), at);
    this.#end += bytes.length;
    const cells = this.#mapping?.rows.cells(at + cellsAt, cellsPerRow(buckets));
    const words = this.#mapping?.details.cells(detail.at, detail.words.length);
    if (cells && words) return { labels, cells, detail: new RowDetail(words), commit() {} };
    const place = { cells: at + cellsAt, detail: detail.at };
    return this.#writtenRow(labels, bytes.subarray(cellsAt), detail.words, place);
  }

  /** Makes a row that reaches its files by writes. When one fails, the row stays in memory for good. */
  #writtenRow(labels: RowLabels, bytes: Uint8Array, words: Float64Array, place: Place): LedgerRow {
    const cells = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
    let lost = false;
    const row: LedgerRow = {
      labels,
      cells,
      detail: new RowDetail(words),
      commit: () => {
        if (lost) return;
        try {
          const { rows, details } = this.#files;
          if (rows === undefined || details === undefined) throw new Error('the ledger is closed');
          writeAll(details, bytesOf(words), place.detail);
          writeAll(rows, bytes, place.cells);
        } catch (err) {
          lost = true;
          this.#memory.push(row);
          this.#failed(err);
        }
      },
    };
    return row;
  }

  #failed(err: unknown): void {
    this.errors++;
    if (this.errors === 1) this.#options.onError(err instanceof Error ? err : new Error(String(err)));
  }
}

/** A row that its ledger can move. */
type LedgerRow = { -readonly [K in keyof Row]: Row[K] };

/** The bytes in the files at which a row's cells and details begin. */
interface Place {
  readonly cells: number;
  readonly detail: number;
}

interface OpenFiles {
  rows: number | undefined;
  details: number | undefined;
}

/** Returns the path of a generation's ledger. */
export function ledgerPath(folder: string, generation: number): string {
  return join(folder, `${generation}.ledger`);
}

function isRemoved(fd: number): boolean {
  try {
    return fstatSync(fd).nlink === 0;
  } catch {
    return false; // an unusable file fails at the next write, which is reported
  }
}

function create(path: string): number {
  const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;
  return openSync(path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0o600);
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  const written = writeSync(fd, bytes, 0, bytes.length, position);
  if (written !== bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes could be written`);
}
