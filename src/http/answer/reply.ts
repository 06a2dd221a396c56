import { Stream } from 'node:stream';
import type { Context } from 'koa';
import { isJson } from '../../openapi/media-type.js';
import type { Operation } from '../../openapi/operation.js';
import { typeInRange, withCharset } from './answer-type.js';

/** Makes what a handler returned the answer in `ctx`, as a Koa middleware would have set it. */
type Reply = (ctx: Context, value: unknown) => void;

/** Throws an error if the handler gave no answer. */
export function replier({ id, success: { status, type } }: Pick<Operation, 'id' | 'success'>): Reply {
  const json = type !== undefined && isJson(type);
  const range = type !== undefined && type.includes('*') ? type : undefined;
  const header = range === undefined && type !== undefined ? withCharset(type) : undefined;
  return (ctx, value) => {
    if (value === undefined) {
      if (ctx.body !== undefined || ctx.respond === false) return;
      if (type !== undefined && ctx.status === status)
        throw new Error(`The handler of "${id}" gave no answer`);
      return empty(ctx);
    }
    const { res } = ctx;
    const typeIsOurs = header !== undefined && !res.hasHeader('Content-Type');
    if (typeIsOurs) res.setHeader('Content-Type', header);
    else if (range !== undefined && !res.hasHeader('Content-Type')) setTypeOf(ctx, id, range, value);
    if (json && typeIsOurs && isPlainData(value) && ctx.body === undefined) return setPlainBody(ctx, value);
    // What fails before it is sent is a 500, when it is sent.
    if (value instanceof Stream) value.on('error', () => {});
    // To Koa these are text that is written already, and nothing.
    const isEncodedHere = (typeof value === 'string' || value === null) && isJson(ctx.response.type);
    ctx.body = isEncodedHere ? JSON.stringify(value) : value;
  };
}

/** A range is no type: what goes out is what the value is, where that is in the range. */
function setTypeOf(ctx: Context, id: string, range: string, value: unknown): void {
  const type = typeInRange(range, value);
  if (type === undefined)
    throw new Error(`The handler of "${id}" must set the Content-Type: its description has ${range}`);
  ctx.res.setHeader('Content-Type', type);
}

/** Of a class of its own it could be a stream, for one. */
export function isPlainData(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}

/**
 * Does what is left of Koa's setter, a twentieth of a small request, for plain data that is the first body and has its type: the
 * setter looks for eight other kinds of body, for a length to remove, and at the type.
 */
function setPlainBody(ctx: Context, value: unknown): void {
  (ctx.response as unknown as { _body: unknown })._body = value; // Koa's types leave it out
}

/** Without this Koa would send the name of the status as text. */
function empty(ctx: Context): void {
  const { status } = ctx;
  ctx.body = null; // which makes it a 204
  ctx.status = status;
}
