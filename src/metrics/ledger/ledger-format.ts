import { crc32 } from 'node:zlib';
import type { RowLabels } from '../request-metrics.js';

/*
 * A ledger is a header and rows, all of them multiples of 8 bytes, in the byte order of the host:
 * a file of the other order has another version and is refused. Cells are 64-bit floats: counts,
 * not cumulative, then the sum.
 *
 *   header   0  magic                      row   0  row length, 0 until the row is whole
 *            8  version                          4  CRC-32 of what follows up to the cells
 *           12  header length                    8  status
 *           16  generation                      12  bytes of the method, bytes of the endpoint (16 bit each)
 *           20  pid                             16  method, endpoint (UTF-8), padded to 8
 *           24  start of the process            ..  cells
 *           32  number of bounds
 *           36  CRC-32 of the rest of the header
 *           40  bounds (64-bit floats)
 */

const MAGIC = Buffer.from('KCM-LDGR');
const VERSION = 1;
const BOUNDS = 40;
const LABELS = 16;

/** The most bytes of a ledger: its rows are bounded by the API description. */
export const MAX_BYTES = 64 * 1024 * 1024;
const MAX_BOUNDS = 1000;

export interface LedgerHeader {
  readonly generation: number;
  readonly pid: number;
  /** The start of the process in clock ticks since the host's boot; 0 where the system does not tell. */
  readonly startTime: number;
  readonly buckets: readonly number[];
}

/** A row in a file. Its cells begin at the 64-bit word `cellsAt`. */
export interface PlacedRow {
  readonly labels: RowLabels;
  readonly cellsAt: number;
}

export function cellsPerRow(buckets: readonly number[]): number {
  return buckets.length + 2;
}

export function encodeHeader(header: LedgerHeader): Uint8Array {
  const { generation, pid, startTime, buckets } = header;
  const bytes = Buffer.from(new ArrayBuffer(BOUNDS + 8 * buckets.length));
  const words = new Uint32Array(bytes.buffer);
  const doubles = new Float64Array(bytes.buffer);
  bytes.set(MAGIC);
  words.set([VERSION, bytes.length, generation, pid], 2);
  doubles[3] = startTime;
  words[8] = buckets.length;
  doubles.set(buckets, BOUNDS / 8);
  words[9] = headerChecksum(bytes);
  return bytes;
}

/** A file's content: the same memory in four widths, of which `size` bytes were read last. */
export class Content {
  size = 0;
  readonly doubles: Float64Array;
  readonly words: Uint32Array;
  readonly halves: Uint16Array;
  readonly bytes: Buffer;

  constructor(capacity: number) {
    const memory = new ArrayBuffer(capacity);
    this.doubles = new Float64Array(memory);
    this.words = new Uint32Array(memory);
    this.halves = new Uint16Array(memory);
    this.bytes = Buffer.from(memory);
  }
}

/** Reads the header; undefined if it is not whole, or not of a ledger of this version. */
export function decodeHeader({ size, bytes, words, doubles }: Content): LedgerHeader | undefined {
  if (size < BOUNDS || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const [, , version, length, generation = 0, pid = 0, , , bounds = 0, checksum] = words;
  if (version !== VERSION || bounds > MAX_BOUNDS || length !== BOUNDS + 8 * bounds) return undefined;
  if (size < length || headerChecksum(bytes.subarray(0, length)) !== checksum) return undefined;
  const buckets = [...doubles.subarray(BOUNDS / 8, length / 8)];
  return { generation, pid, startTime: doubles[3] ?? 0, buckets };
}

function headerChecksum(header: Uint8Array): number {
  return crc32(header.subarray(BOUNDS), crc32(header.subarray(0, BOUNDS - 4)));
}

export function headerLength(header: LedgerHeader): number {
  return BOUNDS + 8 * header.buckets.length;
}

/**
 * Encodes a row with zeros for cells, and tells where these begin. Throws a
 * RangeError if a label does not fit.
 */
export function encodeRow(labels: RowLabels, cells: number): { bytes: Uint8Array; cellsAt: number } {
  const method = Buffer.from(labels.method);
  const endpoint = Buffer.from(labels.endpoint);
  if (method.length > 0xffff || endpoint.length > 0xffff)
    throw new RangeError('label longer than 65535 bytes');
  const cellsAt = LABELS + pad(method.length + endpoint.length);
  const bytes = new Uint8Array(cellsAt + 8 * cells);
  const words = new Uint32Array(bytes.buffer);
  words[2] = labels.status;
  new Uint16Array(bytes.buffer).set([method.length, endpoint.length], 6);
  bytes.set(method, LABELS);
  bytes.set(endpoint, LABELS + method.length);
  words[0] = bytes.length;
  words[1] = crc32(bytes.subarray(8, cellsAt));
  return { bytes, cellsAt };
}

/** Reads the row at byte `offset`; undefined if there is none, or not a whole one. */
export function decodeRow(
  { size, bytes, words, halves }: Content,
  offset: number,
  cells: number,
): { row: PlacedRow; length: number } | undefined {
  const length = offset < size ? words[offset / 4]! : 0;
  if (length < LABELS || length > size - offset) return undefined;
  const methodEnd = offset + LABELS + halves[offset / 2 + 6]!;
  const endpointEnd = methodEnd + halves[offset / 2 + 7]!;
  const cellsAt = offset + LABELS + pad(endpointEnd - offset - LABELS);
  if (offset + length !== cellsAt + 8 * cells) return undefined;
  if (crc32(bytes.subarray(offset + 8, cellsAt)) !== words[offset / 4 + 1]) return undefined;
  const labels = {
    method: bytes.toString('utf8', offset + LABELS, methodEnd),
    endpoint: bytes.toString('utf8', methodEnd, endpointEnd),
    status: words[offset / 4 + 2]!,
  };
  return { row: { labels, cellsAt: cellsAt / 8 }, length };
}

function pad(length: number): number {
  return Math.ceil(length / 8) * 8;
}
