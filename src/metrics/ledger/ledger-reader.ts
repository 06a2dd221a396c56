import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import {
  cellsPerRow,
  Content,
  decodeHeader,
  decodeRow,
  headerLength,
  MAX_BYTES,
  type LedgerHeader,
  type PlacedRow,
} from './ledger-format.js';
import type { RowLabels } from '../request-metrics.js';
import type { Detail } from '../row-detail.js';

/** The counts of a row, as they are read or sent between processes. */
export interface RowData {
  readonly labels: RowLabels;
  readonly cells: Float64Array | readonly number[];
  /** The detail, if it was sent with the row. */
  readonly detail?: Detail;
}

export interface LedgerContent {
  readonly generation: number;
  readonly pid: number;
  readonly buckets: readonly number[];
  readonly rows: readonly RowData[];
}

/**
 * Reads a ledger as far as it is whole. Undefined if there is none, or it is not one of this version. Never
 * throws. A row with an impossible count is left out.
 */
export function readLedger(path: string): LedgerContent | undefined {
  const reader = LedgerReader.open(path);
  if (!reader) return undefined;
  reader.read();
  reader.close();
  const { generation, pid, buckets } = reader.header;
  const rows: RowData[] = [];
  for (let row; (row = reader.row(rows.length));) {
    rows.push({ labels: row.labels, cells: reader.cellsOf(row) });
  }
  return { generation, pid, buckets, rows: rows.filter((row) => areCells(row.cells)) };
}

/** Tells whether these can be the cells of a row: whole counts, then a sum. */
export function areCells(cells: Float64Array | readonly number[]): boolean {
  return cells.every((value, i) =>
    i === cells.length - 1 ? value >= 0 && value < Infinity : Number.isSafeInteger(value) && value >= 0,
  );
}

/** An open ledger that is read again and again. Labels are read once, since rows do not move. */
export class LedgerReader {
  readonly #rows: PlacedRow[] = [];
  #content = new Content(0);
  #parsed: number;

  /** Opens a ledger; undefined as for `readLedger`. A file that is still being made can be tried again. */
  static open(path: string): LedgerReader | undefined {
    let fd: number | undefined;
    try {
      // O_NONBLOCK: a pipe in its place must not block us.
      fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const header = fstatSync(fd).isFile() ? decodeHeader(load(fd, new Content(0))) : undefined;
      if (header) return new LedgerReader(fd, header);
    } catch {
      // A file that can't be opened or read is no ledger.
    }
    if (fd !== undefined) closeSync(fd);
    return undefined;
  }

  private constructor(
    private readonly fd: number,
    readonly header: LedgerHeader,
  ) {
    this.#parsed = headerLength(header);
  }

  /**
   * Reads the file again. If it can't be read any more, or not as far as before, the
   * rest stays as it was read last.
   */
  read(): void {
    try {
      this.#content = load(this.fd, this.#content);
    } catch {
      // The counts of the last time are still right, if no longer the latest.
    }
  }

  /** The content that was read last, as 64-bit words. */
  get words(): Float64Array {
    return this.#content.doubles;
  }

  /** Copies a row's cells. */
  cellsOf({ cellsAt }: PlacedRow): Float64Array {
    return this.words.slice(cellsAt, cellsAt + cellsPerRow(this.header.buckets));
  }

  /** Returns the place of a row by its number; undefined if there are not so many. To be asked in order. */
  row(number: number): PlacedRow | undefined {
    const known = this.#rows[number];
    if (known) return known;
    const next = decodeRow(this.#content, this.#parsed, cellsPerRow(this.header.buckets));
    if (!next) return undefined;
    this.#rows.push(next.row);
    this.#parsed += next.length;
    return next.row;
  }

  /** Whether somebody has removed the file. An open one can still be read. */
  get isRemoved(): boolean {
    return fstatSync(this.fd).nlink === 0;
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** Reads the file into `content`, or into a larger one where it has grown. */
function load(fd: number, content: Content): Content {
  const available = Math.min(fstatSync(fd).size, MAX_BYTES);
  // A part of a 64-bit word would be mixed with the old content.
  const size = available - (available % 8);
  const fitting = size <= content.bytes.length ? content : new Content(size);
  let end = 0;
  while (end < size) {
    const read = readSync(fd, fitting.bytes, end, size - end, end);
    if (read === 0) break;
    end += read;
  }
  fitting.size = end;
  return fitting;
}
