import { Stream } from 'node:stream';
import type { Context } from 'koa';
import { essenceOf, isJson } from '../../openapi/media-type.js';
import type { Operation } from '../../openapi/operations/operation.js';
import { typeInRange, withCharset } from './answer-type.js';

/** Sets a handler's result as the answer in `ctx`, as a Koa middleware would have done. */
type Reply = (ctx: Context, value: unknown) => void;

/** Makes the Reply of an operation. It throws an error if the handler gave no answer. */
export function replier({
  id,
  method,
  success: { status, type, typeOfBytes },
}: Pick<Operation, 'id' | 'method' | 'success'>): Reply {
  const essence = essenceOf(type ?? '');
  const json = isJson(essence);
  const range = essence.includes('*') ? essence : undefined;
  const header = range === undefined && type !== undefined ? withCharset(type) : undefined;
  return (ctx, value) => {
    if (value === undefined) {
      if (ctx.body !== undefined || ctx.respond === false) return;
      if (method === 'HEAD') return;
      if (type !== undefined && ctx.status === status)
        throw new Error(`The handler of "${id}" gave no answer`);
      return empty(ctx);
    }
    if (value === null && type === undefined && ctx.status === status) return empty(ctx);
    const { res } = ctx;
    const typeIsOurs = header !== undefined && !res.hasHeader('Content-Type');
    if (typeIsOurs)
      res.setHeader('Content-Type', typeOfBytes !== undefined && isBytes(value) ? typeOfBytes : header);
    else if (range !== undefined && !res.hasHeader('Content-Type')) setTypeOf(ctx, id, range, value);
    if (json && typeIsOurs && isPlainData(value) && ctx.body === undefined) return setPlainBody(ctx, value);
    // A stream can fail before it is sent, and its error would end the process. When
    // it is sent, it becomes a 500.
    if (value instanceof Stream) value.on('error', () => {});
    // Koa would take a string for JSON that is already encoded, and null for no body.
    const isEncodedHere = (typeof value === 'string' || value === null) && isJson(ctx.response.type);
    ctx.body = isEncodedHere
      ? JSON.stringify(value)
      : isText(value, ctx.response.type)
        ? String(value)
        : value;
  };
}

/**
 * Sets the Content-Type of the value, since the declared one is a range. Throws where the
 * value's type is not in the range.
 */
function setTypeOf(ctx: Context, id: string, range: string, value: unknown): void {
  const type = typeInRange(range, value);
  if (type === undefined)
    throw new Error(`The handler of "${id}" must set the Content-Type: its description has ${range}`);
  ctx.res.setHeader('Content-Type', type);
}

/** Tells whether a value is bytes, or a stream of them. All else is written in UTF-8. */
function isBytes(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !isPlainData(value);
}

/** Tells whether a value is written as text. Koa would write it as JSON, and change the type. */
function isText(value: unknown, type: string): value is number | boolean {
  return (typeof value === 'number' || typeof value === 'boolean') && type.startsWith('text/');
}

/** Tells whether a value is an array or a plain object. An object of a class could be a stream. */
export function isPlainData(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}

/**
 * Sets a body of plain data whose type is set and which is the first. Koa's setter takes a twentieth of a
 * small request: it also checks for eight other kinds of body, for a length to remove, and for the type.
 */
function setPlainBody(ctx: Context, value: unknown): void {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Koa's types leave it out
  (ctx.response as unknown as { _body: unknown })._body = value;
}

/** Sets an empty body and keeps the status: without this Koa would send the name of the status as text. */
function empty(ctx: Context): void {
  const { status } = ctx;
  ctx.body = null; // which makes it a 204
  ctx.status = status;
}
