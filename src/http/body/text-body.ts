import { isUtf8 } from 'node:buffer';
import type { Context, Middleware, Next } from 'koa';
import { type Spot, malformed } from './json-body.js';
import { readPlainBody } from './plain-body.js';
import { tooLarge, unreadable } from './body-problem.js';

/**
 * Reads a body as a string with a character for each byte: koa-bodyparser would replace bytes
 * that are not UTF-8 by U+FFFD.
 */
const BYTES = { encoding: 'binary' };

/**
 * Makes the reader of text bodies of these types. It throws a 413 for one that is too large after
 * decompression, and a 400 for one that is broken or not UTF-8.
 */
export function textReader(types: readonly string[], limit: number): (ctx: Context) => Promise<string> {
  let parser: Middleware | undefined;
  return async (ctx) => {
    if (isPlain(ctx)) return decodeUtf8(await readPlainBody(ctx.req));
    // A parser of the service, which has left the body to be read here, has put an empty object there.
    ctx.request.body = undefined;
    await (parser ??= bodyParser(types, limit))(ctx, done);
    const raw: unknown = ctx.request.body;
    return typeof raw === 'string' ? decodeUtf8(Buffer.from(raw, 'latin1')) : '';
  };
}

/**
 * Loads koa-bodyparser when the first body needs it: with its dependencies it takes a sixth of a cold
 * start, and few bodies need it.
 */
function bodyParser(types: readonly string[], limit: number): Middleware {
  const create: typeof import('koa-bodyparser') = require('koa-bodyparser');
  return create({
    ...BYTES,
    enableTypes: ['text'],
    extendTypes: { text: [...types] },
    textLimit: String(limit),
    onerror: (error) => {
      throw readProblem(error, limit);
    },
  });
}

const done: Next = () => Promise.resolve();

/** Tells whether a body has a known length and is not compressed, so that it can be read without a parser. */
function isPlain({ req: { headers } }: Context): boolean {
  return (
    headers['content-length'] !== undefined && (headers['content-encoding'] ?? 'identity') === 'identity'
  );
}

/**
 * Turns an error of koa-bodyparser into a problem. One that could not inflate a body has
 * no status, and would be a 500.
 */
function readProblem(error: Error & { status?: number; type?: string }, limit: number): Error {
  if (error.status === 413) return tooLarge(limit);
  if (error.type === 'request.aborted') return error;
  return unreadable();
}

/** Decodes UTF-8. Throws a 400 for any other bytes: they would become U+FFFD. */
export function decodeUtf8(bytes: Buffer, spot?: Spot): string {
  if (!isUtf8(bytes)) throw malformed('is not UTF-8', spot);
  return bytes.toString();
}
