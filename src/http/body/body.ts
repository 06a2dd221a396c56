import type { IncomingMessage } from 'node:http';
import type { Context } from 'koa';
import type { BodyContent, BodyKind, DeclaredBody } from '../../openapi/operations/body.js';
import { UTF8, findByType, parseMediaType } from '../../openapi/media-type.js';
import { urlencodedReader } from './form-body.js';
import { parseJson } from './json-body.js';
import { multipartReader } from './multipart-body.js';
import { Problem } from '../problem.js';
import { unread, wasRead } from './read-request.js';
import { streamBody } from './stream-body.js';
import { textReader } from './text-body.js';
import { tooLarge } from './body-problem.js';

/** Content codings (RFC 9110 section 8.4.1) that are decoded. */
const CODINGS = ['gzip', 'deflate', 'br'];

/** Serves a request with its parsed body; `undefined` if it has none. */
type Serve = (ctx: Context, body: unknown) => Promise<void> | undefined;

/**
 * Makes the middleware that reads the body of an operation, and goes on with the function that `serve`
 * gives for its media type. It throws a 415 for an undeclared type, a 413 for a body that is too
 * large, and a 400 for a broken one.
 */
export function bodyMiddleware(
  { contents }: DeclaredBody,
  limit: number,
  serve: (content: BodyContent) => Serve,
): (ctx: Context) => Promise<void> | undefined {
  const types = [...contents.keys()];
  const readers = new Map(
    [...contents.values()].map((content) => [content, reading(content, types, limit, serve(content))]),
  );
  const [first] = contents.values();
  const withoutBody = first && serve(first);
  const serveWithout = (ctx: Context) => withoutBody?.(ctx, undefined);
  return (ctx) => {
    if (!hasBody(ctx) && !isEmptyOfType(ctx)) return serveWithout(ctx);
    if (wasRead(ctx.req)) ctx.req = readAgain(ctx);
    const content = contents.get(ctx.req.headers['content-type'] ?? '') ?? contentFor(ctx, contents);
    if (!hasBody(ctx) && !(content && MAY_BE_EMPTY.has(content.kind))) return serveWithout(ctx);
    const read = content && readers.get(content);
    if (!read) return withoutType(ctx, serveWithout, types);
    checkCoding(ctx);
    // A client that waits for 100 Continue need not send a body that would be refused.
    if (!isEncoded(ctx) && Number(ctx.req.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
    return read(ctx);
  };
}

/** Makes the reader of a body by the kind of its content. */
function reading(
  content: BodyContent,
  types: readonly string[],
  limit: number,
  serve: Serve,
): (ctx: Context) => Promise<void> | undefined {
  if (content.kind === 'stream') return (ctx) => serve(ctx, streamBody(ctx, limit));
  if (content.kind === 'multipart') {
    const read = multipartReader(content);
    return async (ctx) => serve(ctx, await read(ctx, limit));
  }
  const text = textReader(types, limit);
  const parse = { json: parseJson, form: urlencodedReader(content), text: (found: string) => found }[
    content.kind
  ];
  return async (ctx) => {
    const found = await text(ctx);
    return serve(ctx, found === '' && content.kind === 'json' ? undefined : parse(found));
  };
}

/** Kinds of a body that no byte is a value of. */
const MAY_BE_EMPTY: ReadonlySet<BodyKind> = new Set(['text', 'form', 'stream']);

/**
 * Tells whether a request says that its body has a type and no byte, as a browser's for a form without a
 * checked box.
 */
function isEmptyOfType({ req: { headers } }: Context): boolean {
  return headers['content-length'] !== undefined && headers['content-type'] !== undefined;
}

/** Makes the body readable that a middleware has read: validated is what it was made of. */
function readAgain({ req, request }: Context): IncomingMessage {
  const again = unread(req, request);
  if (again !== req) return again;
  throw new Error(
    'A middleware has read the body, and has left it neither in ctx.request.rawBody nor in ctx.request.body',
  );
}

/**
 * Serves a body of chunks that has neither a type nor a byte as none. Any other body that is not declared is
 * a 415.
 */
async function withoutType(
  ctx: Context,
  serve: (ctx: Context) => Promise<void> | undefined,
  types: readonly string[],
): Promise<void> {
  if (ctx.req.headers['content-type'] !== undefined || !(await isEmpty(ctx.req)))
    throw unsupportedType(types);
  await serve(ctx);
}

async function isEmpty(req: IncomingMessage): Promise<boolean> {
  const { done } = await req.iterator({ destroyOnReturn: false }).next();
  return done === true;
}

/** Tells whether a request has a body (RFC 9112 section 6.3). */
export function hasBody({ req: { headers } }: Context): boolean {
  if (headers['transfer-encoding'] !== undefined) return true;
  return headers['content-length'] !== undefined && headers['content-length'] !== '0';
}

function isEncoded({ req: { headers } }: Context): boolean {
  return (headers['content-encoding'] ?? 'identity') !== 'identity';
}

function contentFor(ctx: Context, contents: DeclaredBody['contents']): BodyContent | undefined {
  // Without a type a body may be taken for bytes (RFC 9110 section 8.3).
  const type = parseMediaType(ctx.req.headers['content-type'] ?? 'application/octet-stream');
  const content = type && findByType(contents, type);
  const isReadable = type?.charset === undefined || UTF8.has(type.charset) || content?.kind === 'stream';
  return isReadable ? content : undefined;
}

function checkCoding(ctx: Context): void {
  const header = ctx.req.headers['content-encoding'];
  if (header === undefined) return;
  // The list may be empty, and have empty elements (RFC 9110 section 5.6.1.2).
  const [coding = 'identity', ...more] = header
    .toLowerCase()
    .split(',')
    .map((each) => each.trim().replace(/^x-gzip$/, 'gzip'))
    .filter((each) => each !== '' && each !== 'identity');
  if (more.length > 0 || (coding !== 'identity' && !CODINGS.includes(coding))) {
    throw new Problem(415, `The body must have no Content-Encoding but ${CODINGS.join(', ')}.`, {
      headers: { 'Accept-Encoding': CODINGS.join(', ') },
    });
  }
  ctx.req.headers['content-encoding'] = coding;
}

/** Makes the 415, whose `Accept` lists the types that would be accepted (RFC 9110 section 15.5.16). */
function unsupportedType(types: readonly string[]): Problem {
  return new Problem(415, `The body must be ${types.join(' or ')}, in UTF-8.`, {
    headers: { Accept: types.join(', ') },
  });
}
