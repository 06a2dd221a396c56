import type { Context } from 'koa';
import type { Config } from '../../config.js';
import type { Logger } from '../../log.js';
import type { BodyContent } from '../../openapi/operations/body.js';
import type { Operation } from '../../openapi/operations/operation.js';
import type { Fault, Validator } from '../../openapi/schemas/validation.js';
import { bodyMiddleware } from '../body/body.js';
import type { AnyHandler } from '../handler.js';
import { andRemoveUploads, withoutFiles } from '../body/multipart-body.js';
import { parameterReaders } from '../parameters/parameter-readers.js';
import { Problem } from '../problem.js';
import { replier } from '../answer/reply.js';
import { asBody } from '../answer/respond.js';
import { type ResponseCheck, responseCheck } from '../answer/response-check.js';

type Handle = (request: object, ctx: Context) => unknown;
/** Answers a request. Returns a promise only where there is something to wait for. */
export type Serve = (ctx: Context) => Promise<void> | undefined;
type Answer = (request: object, ctx: Context) => Promise<void> | undefined;

export interface ServeDeps {
  readonly config: Pick<Config, 'bodyLimit' | 'strictQuery' | 'validateResponses'>;
  readonly log: Logger;
}

/**
 * Makes the last step for one operation: reads the declared input, validates it, calls the
 * handler and answers its result.
 */
export function serveOperation(operation: Operation, handler: AnyHandler, deps: ServeDeps): Serve {
  const { bodyLimit, strictQuery, validateResponses } = deps.config;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the validator checks its input
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

/**
 * Chooses an operation's readers and validator at boot, so that no request pays for steps that
 * its operation does not need.
 */
function server(
  operation: Operation,
  content: BodyContent | undefined,
  answer: Answer,
  strictQuery: boolean,
): (ctx: Context, body: unknown) => Promise<void> | undefined {
  const { path, query, header, cookie } = parameterReaders(operation, strictQuery);
  const validate = validatorOf(operation, content);
  const filled = operation.parameters.filter(({ fill }) => fill !== undefined);
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
    for (const { in: location, name, fill } of filled) fill?.(request[location][name]);
    content?.fill?.(body);
    return answer(request, ctx);
  };
}

/**
 * Returns the validator of a request. It leaves out files and streams of the body, which no schema describes.
 */
function validatorOf({ body, validate }: Operation, content: BodyContent | undefined): Check | undefined {
  if (!content) return validate;
  const { kind, validate: check } = content;
  if (kind === 'multipart') return (request) => check?.({ ...request, body: withoutFiles(request['body']) });
  if (kind !== 'stream' || !body?.required) return check;
  return (request) =>
    request['body'] === undefined ? [{ path: '/body', message: 'is required' }] : check?.(request);
}

/** A request in the form that `server` gives it. */
type Request = Readonly<Record<string, unknown>>;
type Check = (request: Request) => ReturnType<Validator>;

/** Calls the handler and makes its result the answer, which is checked unless checks are off. */
function answering(operation: Operation, handle: Handle, check: ResponseCheck | undefined): Answer {
  const reply = replier(operation);
  const { status } = operation.success;
  const answer = (ctx: Context, result: unknown): undefined => {
    const value = asBody(result);
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
    // A plain value is not awaited: a stream could fail in the meantime, and its error, which nobody
    // listens to, would end the process.
    return isPromise(value)
      ? Promise.resolve(value).then((later) => answer(ctx, later), refuse)
      : answer(ctx, value);
  };
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

const LOCATIONS: readonly Fault['in'][] = ['path', 'query', 'header', 'cookie', 'body'];

function invalid(complaints: readonly { path: string; message: string }[]): Problem {
  const errors = complaints.map(({ path, message }) => {
    const [, first, ...rest] = path.split('/');
    // The first key of the path names the part of the request, since the validator was
    // given an object of its parts.
    const location = LOCATIONS.find((name) => name === first) ?? 'body';
    return { in: location, path: rest.map((key) => `/${key}`).join(''), message };
  });
  return new Problem(400, 'The request does not match the API description.', { errors });
}
