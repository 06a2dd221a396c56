import { randomBytes } from 'node:crypto';
import type { Context } from 'koa';
import { measurementOf } from './measure.js';

/** A request id of visible ASCII: the id is repeated in a header and in the log. */
const ACCEPTABLE_ID = /^[\x21-\x7e]{1,128}$/;

/** Gives every request a `ctx.state.requestId`, its own or a new one, and its answer the common headers. */
export function requestIdentity(): (ctx: Context) => void {
  const prefix = randomBytes(9).toString('base64url');
  let requests = 0;
  return (ctx) => {
    const given = ctx.req.headers['x-request-id'];
    const isGiven = typeof given === 'string' && ACCEPTABLE_ID.test(given);
    const requestId = isGiven ? given : `${prefix}-${(requests += 1)}`;
    ctx.state['requestId'] = requestId;
    measurementOf(ctx).identify(requestId);
    setCommonHeaders(ctx);
  };
}

/** The names of the headers that every answer has, in lower case. */
export const COMMON_HEADERS: ReadonlySet<string> = new Set(['x-request-id', 'x-content-type-options']);

/** Sets the headers that every answer has. */
export function setCommonHeaders({ res, state }: Context): void {
  res.setHeader('X-Request-Id', String(state['requestId']));
  res.setHeader('X-Content-Type-Options', 'nosniff');
}
