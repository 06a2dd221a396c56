import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { MAX_BYTES } from './ledger-format.js';
import { mapFile, type Mapping } from './ledger-mapping.js';

/** Words of a file. */
export interface Region {
  /** The words; the file's own memory if it is mapped. */
  readonly words: Float64Array;
  /** Writes the words to the file, or throws; undefined if the file is mapped. */
  readonly write: (() => void) | undefined;
}

/** A file that this process writes and others read. */
export class LedgerFile {
  readonly #fd: number;
  readonly #mapping: Mapping | undefined;
  #end: number;
  #isClosed = false;

  /**
   * Creates a file that only this user may read. Throws if that fails, or the file exists.
   * @param map whether to map it if that is possible
   */
  constructor(path: string, head: Uint8Array, map: boolean) {
    const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;
    this.#fd = openSync(path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0o600);
    this.#end = head.length;
    try {
      writeAll(this.#fd, head, 0);
    } catch (err) {
      closeSync(this.#fd);
      throw err;
    }
    this.#mapping = map ? mapFile(this.#fd, dirname(path)) : undefined;
  }

  get isMapped(): boolean {
    return this.#mapping !== undefined;
  }

  /** Whether somebody has removed the file. */
  get isRemoved(): boolean {
    try {
      return !this.#isClosed && fstatSync(this.#fd).nlink === 0;
    } catch {
      return false; // an unusable file fails at the next write, which is reported
    }
  }

  /** Appends a row, or throws. Returns its cells, which begin at byte `cellsAt` of the row. */
  append(row: Uint8Array, cellsAt: number): Region {
    const at = this.#end;
    if (at + row.length > MAX_BYTES) throw new RangeError('ledger is full');
    // The first word is written last: until then a reader sees the end of the file. Zeros are written, not
    // skipped, because a store to a hole would end the process with SIGBUS when the storage is full.
    this.#write(row.subarray(8), at + 8);
    this.#write(row.subarray(0, 8), at);
    this.#end += row.length;
    const cells = row.subarray(cellsAt);
    return this.#region(new Float64Array(cells.buffer, cells.byteOffset, cells.length / 8), at + cellsAt);
  }

  /** Writes these words at byte `at`, or throws. */
  place(words: Float64Array, at: number): Region {
    this.#write(bytesOf(words), at);
    return this.#region(words, at);
  }

  close(): void {
    if (!this.#isClosed) closeSync(this.#fd);
    this.#isClosed = true;
  }

  #region(words: Float64Array, at: number): Region {
    const mapped = this.#mapping?.cells(at, words.length);
    if (mapped) return { words: mapped, write: undefined };
    return { words, write: () => this.#write(bytesOf(words), at) };
  }

  /** Writes, or throws. The number of a closed file may be that of another one by now. */
  #write(bytes: Uint8Array, at: number): void {
    if (this.#isClosed) throw new Error('the ledger is closed');
    writeAll(this.#fd, bytes, at);
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Writes all bytes at `position`, or throws: a nearly full storage takes a part of them without an error. */
export function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  const written = writeSync(fd, bytes, 0, bytes.length, position);
  if (written !== bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes could be written`);
}
