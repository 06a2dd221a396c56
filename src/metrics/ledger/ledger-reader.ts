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

/** The counts of a row as they were read, or as they travel between processes. */
export interface RowData {
  readonly labels: RowLabels;
  readonly cells: Float64Array | readonly number[];
  /** Where it travels with the row. */
  readonly detail?: Detail;
}

export interface LedgerContent {
  readonly generation: number;
  readonly pid: number;
  readonly buckets: readonly number[];
  readonly rows: readonly RowData[];
}

/**
 * Reads a ledger as far as it is whole. Undefined when there is none, or it is not one of this version. Does not throw; a
 * row with a count that can't be one is left out.
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

/** Whether these can be the cells of a row: whole counts, then a sum. */
export function areCells(cells: Float64Array | readonly number[]): boolean {
  return cells.every((value, i) =>
    i === cells.length - 1 ? value >= 0 && value < Infinity : Number.isSafeInteger(value) && value >= 0,
  );
}

/** An open ledger that is read again and again: labels are read once, as rows do not move. */
export class LedgerReader {
  readonly #rows: PlacedRow[] = [];
  #content = new Content(0);
  #parsed: number;

  /** Undefined as `readLedger`; a file that is still being made can be tried again. */
  static open(path: string): LedgerReader | undefined {
    let fd: number | undefined;
    try {
      // A pipe in its place must not block us.
      fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const header = fstatSync(fd).isFile() ? decodeHeader(load(fd, new Content(0))) : undefined;
      if (header) return new LedgerReader(fd, header);
    } catch {
      // What can't be opened or read is no ledger.
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

  /** Reads the file again. Where it can't be read any more, or not as far as before, the rest is that of the last time. */
  read(): void {
    try {
      this.#content = load(this.fd, this.#content);
    } catch {
      // What was read before is still right, if no longer the latest.
    }
  }

  /** What was read, as 64-bit words. */
  get words(): Float64Array {
    return this.#content.doubles;
  }

  /** A copy of a row's cells. */
  cellsOf({ cellsAt }: PlacedRow): Float64Array {
    return this.words.slice(cellsAt, cellsAt + cellsPerRow(this.header.buckets));
  }

  /** Where the row of that number is in what was read; undefined when there are not so many. To be asked in order. */
  row(number: number): PlacedRow | undefined {
    const known = this.#rows[number];
    if (known) return known;
    const next = decodeRow(this.#content, this.#parsed, cellsPerRow(this.header.buckets));
    if (!next) return undefined;
    this.#rows.push(next.row);
    this.#parsed += next.length;
    return next.row;
  }

  /** Whether somebody has removed the file; what is written there can be read all the same. */
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
  // Part of a 64-bit word would be mixed with what was there before.
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
