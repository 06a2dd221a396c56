import type { Context } from 'koa';
import type { Config } from '../config.js';
import type { Logger } from '../log.js';
import type { Operation } from '../openapi/operation.js';
import type { Fault, Validator } from '../openapi/validation.js';
import { FORMATS, bodyMiddleware } from './body.js';
import type { AnyHandler } from './handler.js';
import { parameterReaders } from './parameter-readers.js';
import { Problem } from './problem.js';
import { replier } from './reply.js';
import { type ResponseCheck, responseCheck } from './response-check.js';

type Handle = (request: object, ctx: Context) => unknown;
/** Makes the answer to a request. A promise only where there is something to wait for. */
export type Serve = (ctx: Context) => Promise<void> | undefined;
type Answer = (request: object, ctx: Context) => Promise<void> | undefined;

export interface ServeDeps {
  readonly config: Pick<Config, 'bodyLimit' | 'validateResponses'>;
  readonly log: Logger;
}

/** The end of the middleware for one operation: reads what is declared, validates it, and answers what the handler returns. */
export function serveOperation(operation: Operation, handler: AnyHandler, deps: ServeDeps): Serve {
  const { bodyLimit, validateResponses } = deps.config;
  // What the generated types promise to the handler is what the validator has checked.
  const handle = handler as Handle;
  const check =
    validateResponses === 'off' ? undefined : responseCheck(operation, validateResponses, deps.log);
  const answer = answering(operation, handle, check);
  if (!operation.body) {
    const serve = server(operation, operation.validate, answer);
    return (ctx) => serve(ctx, undefined);
  }
  const readers = [...operation.body].map(([type, { kind, validate }]) => {
    const serve = server(operation, validate, answer);
    const format = FORMATS[kind];
    const read = (ctx: Context, text: string | undefined) =>
      serve(ctx, text === undefined ? text : format(text));
    return [type, read] as const;
  });
  return bodyMiddleware({ limit: bodyLimit, readers: new Map(readers) });
}

/** Made at boot, with nothing to decide for a request that was known then: most operations need few of the steps. */
function server(
  operation: Operation,
  validate: Validator | undefined,
  answer: Answer,
): (ctx: Context, body: unknown) => Promise<void> | undefined {
  const { path, query, header, cookie } = parameterReaders(operation.parameters);
  return (ctx, body) => {
    const request = { path: path(ctx), query: query(ctx), header: header(ctx), cookie: cookie(ctx), body };
    const complaints = validate?.(request);
    if (complaints) throw invalid(complaints);
    return answer(request, ctx);
  };
}

/** Calls the handler and makes what it returns the answer, which is checked where answers are. */
function answering(operation: Operation, handle: Handle, check: ResponseCheck | undefined): Answer {
  const reply = replier(operation);
  const { status } = operation.success;
  const answer = (ctx: Context, value: unknown): undefined => {
    reply(ctx, value);
    check?.answer(ctx, value);
    return undefined;
  };
  const refuse = (thrown: unknown): never => {
    check?.thrown(thrown);
    throw thrown;
  };
  return (request, ctx) => {
    ctx.status = status;
    let value: unknown;
    try {
      value = handle(request, ctx);
    } catch (error) {
      return refuse(error);
    }
    // Not awaited where there is nothing to wait for: a stream that fails in the next moment has to be listened to by then.
    return isPromise(value)
      ? Promise.resolve(value).then((later) => answer(ctx, later), refuse)
      : answer(ctx, value);
  };
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function invalid(complaints: readonly { path: string; message: string }[]): Problem {
  const errors = complaints.map(({ path, message }) => {
    const [, location, ...rest] = path.split('/');
    // The validator was given an object with one property for each place where a fault can be.
    return { in: location as Fault['in'], path: rest.map((key) => `/${key}`).join(''), message };
  });
  return new Problem(400, 'The request does not match the API description.', { errors });
}
