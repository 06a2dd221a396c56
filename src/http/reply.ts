import { Readable } from 'node:stream';
import type { Context } from 'koa';
import { replyWith } from './application.js';
import type { Operation } from '../openapi/operation.js';
import type { ResponseCheck } from './response-check.js';

/** Makes what a handler returned the answer. A promise only where there is something to wait for. */
type Reply = (ctx: Context, value: unknown) => Promise<void> | undefined;

/** Statuses without content (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5). */
const BODILESS = new Set([204, 205, 304]);

/** Throws an error if the handler gave no answer, or one that the description does not have where that is checked. */
export function replier(
  { id, success: { status, type } }: Operation,
  check: ResponseCheck | undefined,
): Reply {
  const isJson = type !== undefined && /[/+]json$/.test(type);
  const header = type && (isJson || type.startsWith('text/')) ? `${type}; charset=utf-8` : type;
  const reply: Reply = (ctx, value) => {
    if (value !== undefined) {
      if (header && !ctx.res.hasHeader('Content-Type')) ctx.res.setHeader('Content-Type', header);
      ctx.body = isJson && !isEncoded(value) ? JSON.stringify(value) : value;
    } else if (ctx.body === undefined && ctx.respond !== false) {
      if (type !== undefined && ctx.status === status)
        throw new Error(`The handler of "${id}" gave no answer`);
      empty(ctx);
    }
    check?.answer(ctx);
    return ctx.body instanceof Readable ? begun(ctx.body) : undefined;
  };
  if (check || !isJson || !header) return reply;
  return (ctx, value) => {
    const { res } = ctx;
    if (
      value === undefined ||
      isEncoded(value) ||
      res.hasHeader('Content-Type') ||
      BODILESS.has(res.statusCode)
    )
      return reply(ctx, value);
    replyWith(ctx, header, JSON.stringify(value));
    return undefined;
  };
}

/** Without this Koa would send the name of the status as text. */
function empty(ctx: Context): void {
  const { status } = ctx;
  ctx.body = null; // which makes it a 204
  ctx.status = status;
}

/** What is a body as it is, whatever its type. */
function isEncoded(value: unknown): boolean {
  return value instanceof Readable || Buffer.isBuffer(value);
}

/** Waits until a stream has something to send: one that fails before is a 500, and not a connection that is cut. */
function begun(stream: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = () =>
      reject(Object.assign(new Error('The stream was closed'), { code: 'ERR_STREAM_PREMATURE_CLOSE' }));
    stream.once('error', reject).once('readable', resolve).once('close', closed);
    if (stream.destroyed) closed();
  });
}
