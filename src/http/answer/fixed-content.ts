import { createHash } from 'node:crypto';
import type { Context } from 'koa';
import { gzipped } from './gzip.js';

/** The compression level: a content is compressed only once, so the smallest form is worth its time. */
const SMALLEST = 9;

/** A content in one encoding, as it is sent. */
interface Form {
  readonly bytes: Buffer;
  readonly etag: string;
  readonly encoding: string | undefined;
}

/**
 * A content that does not change for the life of the process. Its entity tag is made once, and its compressed
 * form when somebody first asks for it.
 */
export class FixedContent {
  readonly #plain: Form;
  #compressed: Promise<Form> | undefined;

  /** @param type the media type with its charset */
  constructor(
    readonly type: string,
    content: string | Buffer,
  ) {
    this.#plain = form(Buffer.from(content), undefined);
  }

  /** Answers with the content, or with a 304 to a client that has it (RFC 9110 section 13.1.2). */
  async answer(ctx: Context): Promise<Buffer | undefined> {
    const { bytes, etag, encoding } = await this.#formFor(ctx);
    ctx.set({ ETag: etag, 'Cache-Control': 'no-cache', Vary: 'Accept-Encoding' });
    ctx.status = 200; // `ctx.fresh` reads the tag
    if (ctx.fresh) {
      ctx.status = 304;
      return undefined;
    }
    ctx.set('Content-Type', this.type);
    if (encoding !== undefined) ctx.set('Content-Encoding', encoding);
    return bytes;
  }

  async #formFor(ctx: Context): Promise<Form> {
    if (this.type.startsWith('image/') || ctx.acceptsEncodings('gzip', 'identity') !== 'gzip')
      return this.#plain;
    const packed = gzipped(this.#plain.bytes, SMALLEST);
    return packed ? (this.#compressed ??= packed.then((bytes) => form(bytes, 'gzip'))) : this.#plain;
  }
}

function form(bytes: Buffer, encoding: string | undefined): Form {
  const etag = `"${createHash('sha256').update(bytes).digest('base64url')}"`;
  return { bytes, etag, encoding };
}
