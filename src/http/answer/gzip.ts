import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const compress = promisify(gzip);

/** Bytes below which nothing is compressed: so few fit into one packet as they are. */
const LEAST_BYTES = 1024;

/**
 * The level for expositions, which are long, repetitive and sent once: a higher one takes three times as
 * long, and saves little more.
 */
const FAST = 1;

/** Compressed bytes by their original: answers with the same bytes share one compression. */
const known = new WeakMap<Uint8Array, Promise<Buffer>>();

/** Compresses bytes in another thread; undefined where they are too few. */
export function gzipped(bytes: Uint8Array, level = FAST): Promise<Buffer> | undefined {
  if (bytes.length < LEAST_BYTES) return undefined;
  let compressed = known.get(bytes);
  if (!compressed) known.set(bytes, (compressed = compress(bytes, { level })));
  return compressed;
}
