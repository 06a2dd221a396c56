import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const compress = promisify(gzip);

/** What is shorter fits into a packet as it is. */
const LEAST_BYTES = 1024;

/** Expositions are long and repetitive: a higher level takes three times as long, and saves little more. */
const LEVEL = 1;

/** Those who share an exposition share its compression. */
const known = new WeakMap<Uint8Array, Promise<Buffer>>();

/** The bytes compressed by another thread than this one; undefined where that is not worth it. */
export function gzipped(bytes: Uint8Array): Promise<Buffer> | undefined {
  if (bytes.length < LEAST_BYTES) return undefined;
  let compressed = known.get(bytes);
  if (!compressed) known.set(bytes, (compressed = compress(bytes, { level: LEVEL })));
  return compressed;
}
