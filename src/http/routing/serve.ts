import type { Context } from 'koa';
import type { Config } from '../../config.js';
import type { Logger } from '../../log.js';
import type { BodyContent } from '../../openapi/body.js';
import type { Operation } from '../../openapi/operation.js';
import type { Fault, Validator } from '../../openapi/schemas/validation.js';
import { bodyMiddleware } from '../body/body.js';
import type { AnyHandler } from '../handler.js';
import { andRemoveUploads, withoutFiles } from '../body/multipart-body.js';
import { parameterReaders } from '../parameters/parameter-readers.js';
import { Problem } from '../problem.js';
import { replier } from '../answer/reply.js';
import { type ResponseCheck, responseCheck } from '../answer/response-check.js';

type Handle = (request: object, ctx: Context) => unknown;
/** Makes the answer to a request. A promise only where there is something to wait for. */
export type Serve = (ctx: Context) => Promise<void> | undefined;
type Answer = (request: object, ctx: Context) => Promise<void> | undefined;

export interface ServeDeps {
  readonly config: Pick<Config, 'bodyLimit' | 'strictQuery' | 'validateResponses'>;
  readonly log: Logger;
}

/** The end of the middleware for one operation: reads what is declared, validates it, and answers what the handler returns. */
export function serveOperation(operation: Operation, handler: AnyHandler, deps: ServeDeps): Serve {
  const { bodyLimit, strictQuery, validateResponses } = deps.config;
  // What the generated types promise to the handler is what the validator has checked.
  const handle = handler as Handle;
  const check =
    validateResponses === 'off' ? undefined : responseCheck(operation, validateResponses, deps.log);
  const answer = answering(operation, handle, check);
  const { body } = operation;
  if (!body) {
    const serve = server(operation, undefined, answer, strictQuery);
    return (ctx) => serve(ctx, undefined);
  }
  return bodyMiddleware(body, operation.bodyLimit ?? bodyLimit, (content) => {
    const serve = server(operation, content, answer, strictQuery);
    return content.kind === 'multipart' ? andRemoveUploads(serve) : serve;
  });
}

/** Made at boot, with nothing to decide for a request that was known then: most operations need few of the steps. */
function server(
  operation: Operation,
  content: BodyContent | undefined,
  answer: Answer,
  strictQuery: boolean,
): (ctx: Context, body: unknown) => Promise<void> | undefined {
  const { path, query, header, cookie } = parameterReaders(operation, strictQuery);
  const validate = validatorOf(operation, content);
  return (ctx, body) => {
    const principal: unknown = ctx['principal'];
    const request = {
      path: path(ctx),
      query: query(ctx),
      header: header(ctx),
      cookie: cookie(ctx),
      body,
      principal,
    };
    const complaints = validate?.(request);
    if (complaints) throw invalid(complaints);
    content?.fill?.(body);
    return answer(request, ctx);
  };
}

/** What is checked of a body is what its schema describes, which a file and a stream are not. */
function validatorOf({ body, validate }: Operation, content: BodyContent | undefined): Validator | undefined {
  if (!content) return validate;
  const { kind, validate: check } = content;
  if (kind === 'multipart') return (request) => check?.(withBody(request, withoutFiles(bodyOf(request))));
  if (kind !== 'stream' || !body?.required) return check;
  return (request) =>
    bodyOf(request) === undefined ? [{ path: '/body', message: 'is required' }] : check?.(request);
}

/** As `server` makes it. */
type Request = Readonly<Record<string, unknown>>;

function bodyOf(request: unknown): unknown {
  return (request as Request)['body']; // `server` makes it
}

function withBody(request: unknown, body: unknown): Request {
  return { ...(request as Request), body }; // `server` makes it
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
