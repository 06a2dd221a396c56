import { isUtf8 } from 'node:buffer';
import bodyParser from 'koa-bodyparser';
import type { Context } from 'koa';
import { type BodyKind, parseMediaType } from '../openapi/media-type.js';
import { malformed, parseJson } from './json-body.js';
import { readPlainBody } from './plain-body.js';
import { Problem } from './problem.js';

/** Turns the text of a body into its value. Throws a 400 if it is not of this format. */
type BodyFormat = (text: string) => unknown;

/** What makes a value of each kind of body. */
export const FORMATS: Readonly<Record<BodyKind, BodyFormat>> = { json: parseJson, text: (text) => text };

/** Content codings (RFC 9110 section 8.4.1) that are undone. */
const CODINGS = ['gzip', 'deflate', 'br'];

/** As a string with a character for each byte: koa-bodyparser would put U+FFFD in place of what is not UTF-8. */
const BYTES = { encoding: 'binary' };

type BodyReader = (ctx: Context, text: string | undefined) => Promise<void> | undefined;

interface BodyOptions {
  /** Bytes, after decompression. */
  readonly limit: number;
  /** By media type in lower case: what a body of this type is read as, and then given to. */
  readonly readers: ReadonlyMap<string, BodyReader>;
}

/**
 * A function that reads the body of an operation and gives its text to the reader of its media type, `undefined` to
 * any if there is no body. Throws a 415 for what is not declared, a 413 for what is too large, a 400 for what is broken.
 */
export function bodyMiddleware({ limit, readers }: BodyOptions): (ctx: Context) => Promise<void> | undefined {
  const types = [...readers.keys()];
  const [withoutBody] = readers.values();
  const parse = bodyParser({
    ...BYTES,
    enableTypes: ['text'],
    extendTypes: { text: types },
    textLimit: String(limit),
    onerror: (error) => {
      throw readProblem(error);
    },
  });
  const read = async (ctx: Context, reader: BodyReader) => {
    const raw: unknown = ctx.request.body;
    if (typeof raw !== 'string') throw unsupportedType(types);
    return reader(ctx, raw === '' ? undefined : decodeUtf8(Buffer.from(raw, 'latin1')));
  };
  return (ctx) => {
    if (!hasBody(ctx)) return withoutBody?.(ctx, undefined);
    const reader = readers.get(ctx.req.headers['content-type'] ?? '') ?? readers.get(essenceOf(ctx, types));
    if (!reader) throw unsupportedType(types);
    checkCoding(ctx);
    // One that waits for 100 Continue need not send what would be refused.
    if (!isEncoded(ctx) && Number(ctx.req.headers['content-length'] ?? 0) > limit) throw tooLarge();
    if (isPlain(ctx)) return readPlainBody(ctx.req).then((bytes) => reader(ctx, decodeUtf8(bytes)));
    return parse(ctx, () => read(ctx, reader));
  };
}

/** RFC 9112 section 6.3. */
function hasBody({ req: { headers } }: Context): boolean {
  if (headers['transfer-encoding'] !== undefined) return true;
  return headers['content-length'] !== undefined && headers['content-length'] !== '0';
}

function isPlain(ctx: Context): boolean {
  return ctx.req.headers['content-length'] !== undefined && !isEncoded(ctx);
}

function isEncoded({ req: { headers } }: Context): boolean {
  return (headers['content-encoding'] ?? 'identity') !== 'identity';
}

function essenceOf(ctx: Context, types: readonly string[]): string {
  const header = ctx.req.headers['content-type'] ?? '';
  const type = parseMediaType(header);
  if (!type) throw unsupportedType(types);
  if (type.charset !== undefined && type.charset !== 'utf-8') throw unsupportedType(types);
  return type.essence;
}

function checkCoding(ctx: Context): void {
  const header = ctx.req.headers['content-encoding'];
  if (header === undefined) return;
  const coding = header.toLowerCase().replace(/^x-gzip$/, 'gzip');
  if (coding !== 'identity' && !CODINGS.includes(coding)) {
    throw new Problem(415, `The body must have no Content-Encoding but ${CODINGS.join(', ')}.`, {
      headers: { 'Accept-Encoding': CODINGS.join(', ') },
    });
  }
  ctx.req.headers['content-encoding'] = coding;
}

/** RFC 9110 section 15.5.16: `Accept` says what would have been accepted. */
function unsupportedType(types: readonly string[]): Problem {
  return new Problem(415, `The body must be ${types.join(' or ')}, in UTF-8.`, {
    headers: { Accept: types.join(', ') },
  });
}

/** What koa-bodyparser throws has a status where the client is to blame, and none where it could not inflate. */
function readProblem(error: Error & { status?: number; type?: string }): Error {
  if (error.status === 413) return tooLarge();
  if (error.type === 'request.aborted') return error;
  return new Problem(400, 'The body could not be read: it is cut off or its Content-Encoding is broken.');
}

/** The rest of the body is not read: if it were not closed, the connection's next request would be looked for in it. */
function tooLarge(): Problem {
  return new Problem(413, 'The body is too large.', { headers: { Connection: 'close' } });
}

function decodeUtf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw malformed('is not UTF-8');
  return bytes.toString();
}
