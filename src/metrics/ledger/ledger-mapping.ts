import { statfsSync } from 'node:fs';
import { loadKoffi } from '../../koffi.js';
import { MAX_BYTES } from './ledger-format.js';

/** A file's bytes as memory. */
export interface Mapping {
  /**
   * Returns `count` doubles at byte `offset`; undefined beyond the mapped range. The file
   * must have been written that far.
   */
  cells(offset: number, count: number): Float64Array | undefined;
}

const PROT_READ_WRITE = 0x1 | 0x2;
const MAP_SHARED = 0x1;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const TMPFS = 0x0102_1994;

/**
 * Maps an open file. Undefined where that is not possible or not safe: without koffi, elsewhere than on
 * 64-bit Linux, and on anything but tmpfs. On a full disk, a store to a page that has no block yet ends the
 * process with SIGBUS; on tmpfs every written page has its memory.
 *
 * The address range is reserved at once, beyond the end of the file, and stays for the life of the process: a
 * row's cells must remain valid for as long as anybody holds the row.
 */
export function mapFile(fd: number, path: string): Mapping | undefined {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return undefined;
  try {
    return statfsSync(path).type === TMPFS ? map(fd) : undefined;
  } catch {
    return undefined; // rows are written instead
  }
}

function map(fd: number): Mapping | undefined {
  const koffi = loadKoffi();
  const mmap = koffi
    .load(null)
    .func('void *mmap(void *addr, size_t length, int prot, int flags, int fd, int64_t offset)');
  const start = mmap(null, MAX_BYTES, PROT_READ_WRITE, MAP_SHARED, fd, 0);
  if (typeof start !== 'bigint' || start === MAP_FAILED) return undefined;
  const cells = (offset: number, count: number): Float64Array =>
    new Float64Array(koffi.view(start + BigInt(offset), 8 * count));
  // Some runtimes refuse memory that is not their own: this fails now rather than at the first row.
  cells(0, 1);
  return {
    cells: (offset, count) => (offset + 8 * count > MAX_BYTES ? undefined : cells(offset, count)),
  };
}
