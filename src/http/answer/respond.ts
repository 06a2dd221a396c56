import { finished, Readable, Stream } from 'node:stream';
import type { Context } from 'koa';
import { isPlainData } from './reply.js';
import { isResponse, isWebStream } from './web-bodies.js';

/** Statuses without content (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5). */
const EMPTY = new Set([204, 205, 304]);

/**
 * Sends the answer of `ctx`: a string, a Buffer, a Node or web stream, a Blob, a Response, nothing, or any
 * other value as JSON. Returns a promise only where there is something to wait for; it rejects when a stream
 * fails before its first byte.
 */
export function respond(ctx: Context): Promise<void> | undefined {
  if (ctx.respond === false) return undefined;
  const { res } = ctx;
  if (!ctx.writable) return void res.end();
  if (EMPTY.has(res.statusCode)) {
    ctx.body = null; // which removes the headers of a content
    return void res.end();
  }
  const isHead = ctx.req.method === 'HEAD';
  // The answer to a GET may have a length that only the handler knows.
  if (isHead && (ctx.body === undefined || ctx.body === null)) return void res.end();
  const body = (ctx.body ?? reasonPhrase(ctx)) as unknown; // Koa says `any`
  const stream = streamOf(body);
  if (stream) return send(ctx, stream);
  const content = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  if (!res.headersSent && !res.hasHeader('Transfer-Encoding'))
    res.setHeader('Content-Length', Buffer.byteLength(content));
  res.end(isHead ? undefined : content);
  return undefined;
}

/**
 * Returns the body that Koa gives an answer without one: none if that was set explicitly,
 * otherwise the name of the status.
 */
function reasonPhrase(ctx: Context): string {
  if ('_explicitNullBody' in ctx.response) {
    ctx.remove('Content-Type');
    return '';
  }
  ctx.type = 'text';
  return ctx.message || String(ctx.status);
}

/** Tells whether a body is a stream, which is sent as it is, whatever its type. */
export function isStream(body: unknown): boolean {
  return body instanceof Stream || body instanceof Blob || isWebStream(body) || isResponse(body);
}

/**
 * Returns a handler's result as a body that Koa knows: bytes as a Buffer, and what an asynchronous iterable,
 * such as a generator, gives as a stream. Koa would write both as JSON.
 */
export function asBody(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || isPlainData(value)) return value;
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  if (ArrayBuffer.isView(value))
    return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return isStream(value) || !isAsyncIterable(value) ? value : Readable.from(value, { objectMode: false });
}

function isAsyncIterable(value: object): value is AsyncIterable<unknown> {
  return Symbol.asyncIterator in value;
}

function streamOf(body: unknown): Stream | undefined {
  if (typeof body !== 'object' || body === null || isPlainData(body)) return undefined;
  if (body instanceof Stream) return body;
  if (isWebStream(body)) return Readable.fromWeb(body);
  if (body instanceof Blob) return streamOf(body.stream());
  return isResponse(body) ? (streamOf(body.body) ?? Readable.from([])) : undefined;
}

/** Sends a stream. Node's `pipeline` would add a sixth to the cost of 1 MB. */
async function send(ctx: Context, stream: Stream): Promise<void> {
  const { req, res } = ctx;
  if (req.method === 'HEAD') {
    if (stream instanceof Readable) stream.destroy();
    return void res.end();
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the oldest streams have `pipe`, too
  const source = stream instanceof Readable ? bytesOf(stream) : (stream as Readable);
  if (stream instanceof Readable) {
    res.once('close', () => stream.destroy());
    await begun(source);
  }
  const failed = (error?: Error | null) => error && ctx.onerror(error);
  res.on('error', failed);
  finished(source, { writable: false }, failed);
  source.pipe(res);
}

/**
 * Returns a stream that fails at a piece which is neither text nor bytes; `pipe` would throw where nobody
 * catches it.
 */
function bytesOf(stream: Readable): Readable {
  return stream.readableObjectMode ? Readable.from(stream, { objectMode: false }) : stream;
}

/**
 * Waits until a stream has something to send: one that fails before is a 500, and
 * not a connection that is cut.
 */
function begun(stream: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = () => {
      const code = 'ERR_STREAM_PREMATURE_CLOSE';
      reject(stream.errored ?? Object.assign(new Error('The stream was closed'), { code }));
    };
    const begins = () => {
      stream.off('close', closed);
      resolve();
    };
    stream.once('error', reject).once('readable', begins).once('end', begins).once('close', closed);
    if (stream.destroyed) closed();
  });
}
