import { Readable, pipeline } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Context } from 'koa';
import { tooLarge, unreadable } from './body-problem.js';

/**
 * Streams the bytes of a body, inflated, as they come. Nothing is read before somebody reads the stream. It
 * fails with a 413 at the first byte beyond the limit, and with a 400 where the body can't be inflated.
 */
export function streamBody(ctx: Context, limit: number): Readable {
  return Readable.from(bytesOf(ctx, limit), { objectMode: false });
}

async function* bytesOf(ctx: Context, limit: number): AsyncGenerator<Buffer> {
  let total = 0;
  // A handler that stops reading early must still be able to answer: destroying the
  // request would close its connection.
  for await (const chunk of inflated(ctx).iterator({ destroyOnReturn: false })) {
    const bytes: Buffer = chunk; // the stream has no encoding
    total += bytes.length;
    if (total > limit) throw tooLarge(limit);
    yield bytes;
  }
}

const INFLATE = { gzip: createGunzip, deflate: createInflate, br: createBrotliDecompress };

function inflated({ req }: Context): Readable {
  const coding = req.headers['content-encoding'];
  const create = Object.entries(INFLATE).find(([name]) => name === coding)?.[1];
  if (!create) return req;
  const inflate = create();
  pipeline(req, inflate, () => undefined);
  return Readable.from(inflatedBytes(inflate), { objectMode: false });
}

async function* inflatedBytes(inflate: Readable): AsyncGenerator<Buffer> {
  try {
    yield* inflate;
  } catch (cause) {
    throw unreadable(cause);
  }
}
