import type { Context, Middleware } from 'koa';
import { FORMATS, bodyMiddleware } from './body.js';
import type { AnyHandler } from './handler.js';
import type { Operation } from '../openapi/operation.js';
import { parameterReaders } from './parameter-readers.js';
import { Problem, asProblem } from './problem.js';
import { replier } from './reply.js';
import { type ResponseCheck, responseCheck } from './response-check.js';
import type { Fault, Validator } from '../openapi/validation.js';

type Handle = (request: object, ctx: Context) => unknown;
type Serve = (ctx: Context, body: unknown) => unknown;

interface ServeOptions {
  readonly bodyLimit: number;
  readonly validateResponses: boolean;
}

/** The middleware of one operation: reads what is declared, validates it, and answers what the handler returns. */
export function serveOperation(
  operation: Operation,
  handler: AnyHandler,
  { bodyLimit, validateResponses }: ServeOptions,
): Middleware {
  const check = validateResponses ? responseCheck(operation.id, operation.responses) : undefined;
  if (!operation.body) {
    const serve = server(operation, handler, operation.validate, check);
    return (ctx) => serve(ctx, undefined);
  }
  const readers = [...operation.body].map(([type, { kind, validate }]) => {
    const serve = server(operation, handler, validate, check);
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
  handler: AnyHandler,
  validate: Validator | undefined,
  check: ResponseCheck | undefined,
): Serve {
  const { path, query, header, cookie } = parameterReaders(operation.parameters);
  // What the generated types promise to the handler is what the validator has checked.
  const bare = handler as Handle;
  const handle = check ? checked(bare, check) : bare;
  const reply = replier(operation, check);
  const { status } = operation.success;
  return (ctx, body) => {
    const request = { path: path(ctx), query: query(ctx), header: header(ctx), cookie: cookie(ctx), body };
    const complaints = validate?.(request);
    if (complaints) throw invalid(complaints);
    ctx.status = status;
    const result = handle(request, ctx);
    return isPromise(result) ? result.then((value) => reply(ctx, value)) : reply(ctx, result);
  };
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** A problem that a handler throws is an answer too. */
function checked(handle: Handle, check: ResponseCheck): Handle {
  return async (request, ctx) => {
    try {
      return await handle(request, ctx);
    } catch (error) {
      const problem = asProblem(error);
      if (problem) check.problem(problem);
      throw error;
    }
  };
}

function invalid(complaints: readonly { path: string; message: string }[]): Problem {
  const errors = complaints.map(({ path, message }) => {
    const [, location, ...rest] = path.split('/');
    // The validator was given an object with one property for each place where a fault can be.
    return { in: location as Fault['in'], path: rest.map((key) => `/${key}`).join(''), message };
  });
  return new Problem(400, 'The request does not match the API description.', { errors });
}
