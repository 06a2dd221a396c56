import { isUtf8 } from 'node:buffer';
import type { Context, Middleware, Next } from 'koa';
import { malformed } from './json-body.js';
import { readPlainBody } from './plain-body.js';
import { tooLarge, unreadable } from './body-problem.js';

/** As a string with a character for each byte: koa-bodyparser would put U+FFFD in place of what is not UTF-8. */
const BYTES = { encoding: 'binary' };

/**
 * Makes the reader of bodies of these types that are text as a whole, `undefined` if there is none. It throws a 413 for what is too
 * large, after decompression, and a 400 for what is broken or not UTF-8.
 */
export function textReader(
  types: readonly string[],
  limit: number,
): (ctx: Context) => Promise<string | undefined> {
  let parser: Middleware | undefined;
  return async (ctx) => {
    if (isPlain(ctx)) return decodeUtf8(await readPlainBody(ctx.req));
    await (parser ??= bodyParser(types, limit))(ctx, done);
    const raw: unknown = ctx.request.body;
    return typeof raw === 'string' && raw !== '' ? decodeUtf8(Buffer.from(raw, 'latin1')) : undefined;
  };
}

/** Loaded when the first body needs it: with what it brings along it takes a sixth of a cold start, and few bodies do. */
function bodyParser(types: readonly string[], limit: number): Middleware {
  const create = require('koa-bodyparser') as typeof import('koa-bodyparser');
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

/** Nothing of it is to be inflated, and it can't be longer than it says. */
function isPlain({ req: { headers } }: Context): boolean {
  return (
    headers['content-length'] !== undefined && (headers['content-encoding'] ?? 'identity') === 'identity'
  );
}

/** What koa-bodyparser throws has a status where the client is to blame, and none where it could not inflate. */
function readProblem(error: Error & { status?: number; type?: string }, limit: number): Error {
  if (error.status === 413) return tooLarge(limit);
  if (error.type === 'request.aborted') return error;
  return unreadable();
}

function decodeUtf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw malformed('is not UTF-8');
  return bytes.toString();
}
