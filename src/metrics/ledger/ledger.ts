import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { detailAt, detailPath, encodeDetailHeader } from './detail-file.js';
import { cellsPerRow, encodeHeader, encodeRow, MAX_BYTES } from './ledger-format.js';
import { mapFile, type Mapping } from './ledger-mapping.js';
import { startTime } from './process-identity.js';
import { memoryRow, type Row, type RowLabels, type RowStore } from '../request-metrics.js';
import { detailWords, RowDetail } from '../row-detail.js';

export interface LedgerOptions {
  /** The service's ledger folder, as `prepareLedgerFolder` made it. */
  readonly folder: string;
  /** Names the file; unique for the life of the primary. */
  readonly generation: number;
  /** Upper bounds in seconds, ascending, without +Inf. */
  readonly buckets: readonly number[];
  /** Called for the first error only: the others follow from it, and are counted. */
  readonly onError: (err: Error) => void;
  /** Default true: map the file where that is possible. */
  readonly map?: boolean;
}

/**
 * A worker's request counts in files that outlive it: what was counted is there when the process is killed the next
 * moment. Where the files cannot be made or written, rows stay in memory, `memoryOnly` lists them, and nothing throws.
 */
export class Ledger implements RowStore {
  readonly path: string;
  /** Times that something could not be written. */
  errors = 0;
  readonly #options: LedgerOptions;
  readonly #files: OpenFiles = { rows: undefined, details: undefined };
  readonly #memory: Row[] = [];
  #mapping: { readonly rows: Mapping; readonly details: Mapping } | undefined;
  #rows = 0;
  #end = 0;

  /** Creates the worker's files. Does not throw. */
  static open(options: LedgerOptions): Ledger {
    const ledger = new Ledger(options);
    try {
      ledger.#create();
    } catch (err) {
      ledger.#failed(err);
      ledger.close();
    }
    return ledger;
  }

  private constructor(options: LedgerOptions) {
    this.#options = options;
    this.path = ledgerPath(options.folder, options.generation);
  }

  /** Whether counts reach the file by a store to memory; otherwise each `commit` writes the row. */
  get mapped(): boolean {
    return this.#mapping !== undefined;
  }

  append(labels: RowLabels, start: number): Row {
    const { rows, details } = this.#files;
    try {
      if (rows !== undefined && details !== undefined) return this.#appendTo(rows, details, labels, start);
    } catch (err) {
      this.#failed(err);
    }
    const row = memoryRow(labels, start, this.#options.buckets);
    this.#memory.push(row);
    return row;
  }

  /** The rows whose counts no file holds: they have to travel in snapshots. */
  memoryOnly(): readonly Row[] {
    return this.#memory;
  }

  /** Ends the writing. The files stay, for the primary to read; rows go on counting in memory. */
  close(): void {
    for (const name of ['rows', 'details'] as const) {
      const fd = this.#files[name];
      if (fd !== undefined) closeSync(fd);
      this.#files[name] = undefined;
    }
  }

  #create(): void {
    const { folder, generation, buckets } = this.#options;
    const header = { generation, pid: process.pid, startTime: startTime(process.pid) ?? 0, buckets };
    const rows = (this.#files.rows = create(this.path));
    const details = (this.#files.details = create(detailPath(folder, generation)));
    writeAll(details, encodeDetailHeader(header), 0);
    const bytes = encodeHeader(header);
    writeAll(rows, bytes, 0);
    this.#end = bytes.length;
    if (this.#options.map === false) return;
    const mapped = { rows: mapFile(rows, this.path), details: mapFile(details, this.path) };
    if (mapped.rows && mapped.details) this.#mapping = { rows: mapped.rows, details: mapped.details };
  }

  #appendTo(rows: number, details: number, labels: RowLabels, start: number): Row {
    const { buckets } = this.#options;
    const { bytes, cellsAt } = encodeRow(labels, cellsPerRow(buckets));
    const at = this.#end;
    const detail = { at: detailAt(this.#rows, buckets), words: new Float64Array(detailWords(buckets)) };
    if (at + bytes.length > MAX_BYTES) throw new RangeError('ledger is full');
    detail.words[0] = start;
    writeAll(details, bytesOf(detail.words), detail.at);
    // The first word last: until it is there a reader sees the end of the file. Zeros are written, not skipped, because
    // a store to a hole would end the process with SIGBUS when the storage is full.
    writeAll(rows, bytes.subarray(8), at + 8);
    writeAll(rows, bytes.subarray(0, 8), at);
    this.#end += bytes.length;
    this.#rows += 1;
    const cells = this.#mapping?.rows.cells(at + cellsAt, cellsPerRow(buckets));
    const words = this.#mapping?.details.cells(detail.at, detail.words.length);
    if (cells && words) return { labels, cells, detail: new RowDetail(words), commit() {} };
    const place = { cells: at + cellsAt, detail: detail.at };
    return new WrittenRow(labels, bytes.subarray(cellsAt), detail.words, place, this.#files, (row, err) => {
      this.#memory.push(row);
      this.#failed(err);
    });
  }

  #failed(err: unknown): void {
    this.errors++;
    if (this.errors === 1) this.#options.onError(err instanceof Error ? err : new Error(String(err)));
  }
}

/** Shared by a ledger and its rows: a closed descriptor's number may belong to somebody else. */
interface OpenFiles {
  rows: number | undefined;
  details: number | undefined;
}

/** A row that reaches its files by writes. When one fails it is in memory for good. */
class WrittenRow implements Row {
  readonly cells: Float64Array;
  readonly detail: RowDetail;
  #lost = false;

  constructor(
    readonly labels: RowLabels,
    private readonly bytes: Uint8Array,
    words: Float64Array,
    private readonly place: { readonly cells: number; readonly detail: number },
    private readonly files: OpenFiles,
    private readonly onLost: (row: Row, err: unknown) => void,
  ) {
    this.cells = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
    this.detail = new RowDetail(words);
  }

  commit(): void {
    if (this.#lost) return;
    try {
      const { rows, details } = this.files;
      if (rows === undefined || details === undefined) throw new Error('the ledger is closed');
      writeAll(details, bytesOf(this.detail.words), this.place.detail);
      writeAll(rows, this.bytes, this.place.cells);
    } catch (err) {
      this.#lost = true;
      this.onLost(this, err);
    }
  }
}

/** The file of a generation. */
export function ledgerPath(folder: string, generation: number): string {
  return join(folder, `${generation}.ledger`);
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
