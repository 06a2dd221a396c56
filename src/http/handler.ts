import type { Readable } from 'node:stream';
import type { Context } from 'koa';
import type { Operations } from '../generated/operations.js';

/** What a handler gets of the request: the declared parameters and the body, validated and converted. */
type Request<Operation> = Omit<Operation, 'response'>;

/** A body that the description declares for a success, as a value or already encoded. */
type Reply<Operation> = Operation extends { response: infer Body } ? Body | Readable | Buffer : never;

/**
 * Handles one operation of the API description. What it returns is the body; the status is the first success that
 * the description declares unless the handler sets `ctx.status`. It throws a Problem for what the client did wrong.
 */
export type Handler<Id extends keyof Operations> = (
  request: Request<Operations[Id]>,
  ctx: Context,
) => Reply<Operations[Id]> | Promise<Reply<Operations[Id]>>;

/** A handler of any operation. Whether it is the one for its operation is checked where it is written. */
export type AnyHandler = (request: never, ctx: Context) => unknown;

/** Handlers by operationId. */
export type Handlers = Readonly<Record<string, AnyHandler>>;
