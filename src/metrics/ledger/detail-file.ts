import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerHeader } from './ledger-format.js';
import { detailWords } from '../row-detail.js';

/*
 * What a text scrape does not need of a ledger's rows is in a file of its own: a header, then a region for each row, in the
 * order of the rows. All regions have one length, so that the region of row `i` is at `HEADER + i * length`. It is there before
 * its row is, and an observation is in its native counts before it is in the row's cells. (row-detail.ts has what is in one.)
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

/** The file that belongs to the ledger of a generation. */
export function detailPath(folder: string, generation: number): string {
  return join(folder, `${generation}.details`);
}

export function encodeDetailHeader({ generation, pid, buckets }: LedgerHeader): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(HEADER));
  bytes.set(MAGIC);
  new Uint32Array(bytes.buffer).set([VERSION, generation, pid, 8 * detailWords(buckets)], 2);
  return bytes;
}

/** Where the region of a row begins. */
export function detailAt(row: number, buckets: readonly number[]): number {
  return HEADER + 8 * detailWords(buckets) * row;
}

/** Of a ledger's regions so many are read at a time: a read costs little more than one of them, and whoever reads can pause. */
const CHUNK = 8;

/** The open file of a ledger's details. */
export class DetailReader {
  readonly #words: Float64Array;

  /** Undefined where there is none, or it is not that of the ledger with this header. */
  static open(path: string, header: LedgerHeader): DetailReader | undefined {
    let fd: number | undefined;
    try {
      // A pipe in its place must not block us.
      fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const expected = encodeDetailHeader(header);
      const bytes = Buffer.alloc(HEADER);
      if (readSync(fd, bytes, 0, HEADER, 0) === HEADER && bytes.equals(expected))
        return new DetailReader(fd, header.buckets);
    } catch {
      // What can't be opened or read is none.
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
   * Reads regions from that of row `first` on, at most up to that of row `end - 1`: one after the other, `detailWords` each.
   * Valid until the next call. Empty where they can't be read.
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
