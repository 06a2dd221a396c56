import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const compress = promisify(gzip);

/** What is shorter fits into a packet as it is. */
const LEAST_BYTES = 1024;

/** Expositions are long, repetitive, and sent once: a higher level takes three times as long, and saves little more. */
const FAST = 1;

/** Those who share bytes share their compression. */
const known = new WeakMap<Uint8Array, Promise<Buffer>>();

/** The bytes compressed by another thread than this one; undefined where that is not worth it. */
export function gzipped(bytes: Uint8Array, level = FAST): Promise<Buffer> | undefined {
  if (bytes.length < LEAST_BYTES) return undefined;
  let compressed = known.get(bytes);
  if (!compressed) known.set(bytes, (compressed = compress(bytes, { level })));
  return compressed;
}
