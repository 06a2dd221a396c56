import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { cellsPerRow, encodeHeader, encodeRow, MAX_BYTES } from './ledger-format.js';
import { mapFile, type Mapping } from './ledger-mapping.js';
import { startTime } from './process-identity.js';
import type { Row, RowLabels, RowStore } from '../request-metrics.js';

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
 * A worker's request counts in a file that outlives it: what was counted is there when the process is killed the next
 * moment. Where the file cannot be made or written, rows stay in memory, `memoryOnly` lists them, and nothing throws.
 */
export class Ledger implements RowStore {
  readonly path: string;
  /** Times that something could not be written. */
  errors = 0;
  readonly #options: LedgerOptions;
  readonly #file: OpenFile = { fd: undefined };
  readonly #memory: Row[] = [];
  #mapping: Mapping | undefined;
  #end = 0;

  /** Creates the worker's file. Does not throw. */
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

  append(labels: RowLabels): Row {
    try {
      if (this.#file.fd !== undefined) return this.#appendTo(this.#file.fd, labels);
    } catch (err) {
      this.#failed(err);
    }
    const row = { labels, cells: new Float64Array(cellsPerRow(this.#options.buckets)), commit() {} };
    this.#memory.push(row);
    return row;
  }

  /** The rows whose counts no file holds: they have to travel in snapshots. */
  memoryOnly(): readonly Row[] {
    return this.#memory;
  }

  /** Ends the writing. The file stays, for the primary to read; rows go on counting in memory. */
  close(): void {
    if (this.#file.fd !== undefined) closeSync(this.#file.fd);
    this.#file.fd = undefined;
  }

  #create(): void {
    const { generation, buckets } = this.#options;
    const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;
    const fd = openSync(this.path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0o600);
    this.#file.fd = fd;
    const pid = process.pid;
    const header = encodeHeader({ generation, pid, startTime: startTime(pid) ?? 0, buckets });
    writeAll(fd, header, 0);
    this.#end = header.length;
    if (this.#options.map ?? true) this.#mapping = mapFile(fd, this.path);
  }

  #appendTo(fd: number, labels: RowLabels): Row {
    const { bytes, cellsAt } = encodeRow(labels, cellsPerRow(this.#options.buckets));
    const at = this.#end;
    if (at + bytes.length > MAX_BYTES) throw new RangeError('ledger is full');
    // The first word last: until it is there a reader sees the end of the file. Zeros are written, not skipped, because
    // a store to a hole would end the process with SIGBUS when the storage is full.
    writeAll(fd, bytes.subarray(8), at + 8);
    writeAll(fd, bytes.subarray(0, 8), at);
    this.#end += bytes.length;
    const mapped = this.#mapping?.cells(at + cellsAt, cellsPerRow(this.#options.buckets));
    if (mapped) return { labels, cells: mapped, commit() {} };
    return new WrittenRow(labels, bytes.subarray(cellsAt), at + cellsAt, this.#file, (row, err) => {
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
interface OpenFile {
  fd: number | undefined;
}

/** A row that reaches its file by a write. When that fails it is in memory for good. */
class WrittenRow implements Row {
  readonly cells: Float64Array;
  #lost = false;

  constructor(
    readonly labels: RowLabels,
    private readonly bytes: Uint8Array,
    private readonly position: number,
    private readonly file: OpenFile,
    private readonly onLost: (row: Row, err: unknown) => void,
  ) {
    this.cells = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
  }

  commit(): void {
    if (this.#lost) return;
    try {
      if (this.file.fd === undefined) throw new Error('the ledger is closed');
      writeAll(this.file.fd, this.bytes, this.position);
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

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  const written = writeSync(fd, bytes, 0, bytes.length, position);
  if (written !== bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes could be written`);
}
