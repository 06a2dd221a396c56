import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerHeader } from './ledger-format.js';
import { detailWords } from '../row-detail.js';

/*
 * The details of a ledger's rows, which a text scrape does not need, are in a file of their own: a header,
 * then a region for each row, in the order of the rows. All regions have one length, so that the region of
 * row `i` is at `HEADER + i * length`. A region is written before its row, and an observation is in its
 * native counts before it is in the row's cells. row-detail.ts describes the content of a region.
 *
 *   header   0  magic
 *            8  version
 *           12  generation
 *           16  pid
 *           20  bytes of a region
 */
const MAGIC = Buffer.from('KCM-DTLS');
const VERSION = 1;
const HEADER = 24;

/** Returns the path of the details that belong to the ledger of a generation. */
export function detailPath(folder: string, generation: number): string {
  return join(folder, `${generation}.details`);
}

export function encodeDetailHeader({ generation, pid, buckets }: LedgerHeader): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(HEADER));
  bytes.set(MAGIC);
  new Uint32Array(bytes.buffer).set([VERSION, generation, pid, 8 * detailWords(buckets)], 2);
  return bytes;
}

/** Returns the byte at which the region of a row begins. */
export function detailAt(row: number, buckets: readonly number[]): number {
  return HEADER + 8 * detailWords(buckets) * row;
}

/** The most regions per read: a read costs little more than one region, and the reader can pause after it. */
const CHUNK = 8;

/** The open file of a ledger's details. */
export class DetailReader {
  readonly #words: Float64Array;

  /** Opens the details of the ledger with this header; undefined if there are none. */
  static open(path: string, header: LedgerHeader): DetailReader | undefined {
    let fd: number | undefined;
    try {
      // O_NONBLOCK: a pipe in its place must not block us.
      fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const expected = encodeDetailHeader(header);
      const bytes = Buffer.alloc(HEADER);
      if (readSync(fd, bytes, 0, HEADER, 0) === HEADER && bytes.equals(expected))
        return new DetailReader(fd, header.buckets);
    } catch {
      // A file that can't be opened or read counts as missing.
    }
    if (fd !== undefined) closeSync(fd);
    return undefined;
  }

  private constructor(
    private readonly fd: number,
    private readonly buckets: readonly number[],
  ) {
    this.#words = new Float64Array(CHUNK * detailWords(buckets));
  }

  /**
   * Reads regions from that of row `first` on, at most up to that of row `end - 1`: one after the other,
   * `detailWords` each. The result is valid until the next call, and empty if they can't be read.
   */
  read(first: number, end: number): Float64Array {
    const length = detailWords(this.buckets);
    const rows = Math.min(end - first, CHUNK);
    try {
      const read = readSync(this.fd, this.#words, 0, 8 * length * rows, detailAt(first, this.buckets));
      return this.#words.subarray(0, length * Math.trunc(read / (8 * length)));
    } catch {
      return this.#words.subarray(0, 0);
    }
  }

  close(): void {
    closeSync(this.fd);
  }
}
