import { STATUS_CODES, type ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import { isNativeError } from 'node:util/types';
import type { Context } from 'koa';
import type { Logger } from '../log.js';
import type { Fault } from '../openapi/schemas/validation.js';
import { measurementOf } from './measure.js';
import { PROBLEM_TYPE, problemJson } from '../server/problem-json.js';

type Headers = Readonly<Record<string, string | string[]>>;

interface ProblemOptions {
  readonly errors?: readonly Fault[];
  /** Further headers of the answer, such as `Allow`. */
  readonly headers?: Headers;
  /** The error behind the problem, for the log. */
  readonly cause?: unknown;
}

/** An error whose text is for the client (RFC 9457), with a status from 400 to 599. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly errors: readonly Fault[] | undefined;
  readonly headers: Headers;

  constructor(
    readonly status: number,
    readonly detail: string,
    { errors, headers = {}, cause }: ProblemOptions = {},
  ) {
    // Nobody reads the stack of a client's mistake, and taking it costs half as much as a whole 404.
    const { stackTraceLimit } = Error;
    if (status < 500) Error.stackTraceLimit = 0;
    super(detail, cause === undefined ? undefined : { cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.errors = errors;
    this.headers = headers;
  }

  /** Whether Koa itself shows the client the text, and doesn't log it as an error of the app. */
  get expose(): boolean {
    return this.status < 500;
  }
}

/** Node's error codes for a connection whose other side has gone. */
const GONE = new Set<unknown>(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE']);

const failed = Symbol('whether the request has failed');

const INTERNAL = 'The service failed. Its log has more under this request id.';

/**
 * Answers a thrown error as `application/problem+json`. An error without a status is a bug: the client gets a
 * bare 500, and the log has the cause. Never throws.
 */
export function answerError(ctx: Context, thrown: unknown): void {
  // Koa can report one stream more than once.
  if (ctx[failed]) return;
  ctx[failed] = true;
  const { res } = ctx;
  const open = ctx.writable && !res.destroyed;
  if (!open && GONE.has(fieldOf(thrown, 'code'))) {
    logOf(ctx).debug({ err: thrown }, 'The client left before its answer was complete');
    return;
  }
  const problem = asProblem(thrown);
  if (!problem || (problem.status >= 500 && !isUnwritten(problem))) report(ctx, thrown);
  if (res.headersSent) return cutOff(res);
  if (!open) return;
  const answer = problem ?? new Problem(500, INTERNAL, { headers: headersOf(thrown) });
  try {
    sendProblem(res, answer);
  } catch (error) {
    report(ctx, error);
    for (const name of Object.keys(answer.headers)) res.removeHeader(name);
    sendProblem(res, new Problem(500, INTERNAL));
  }
}

/** Tells whether a problem only says that an operation is not written yet: nothing has failed. */
function isUnwritten({ status, cause }: Problem): boolean {
  return status === 501 && cause === undefined;
}

/**
 * Logs a thrown error. One that can't be read (a Proxy, a getter that throws) must not
 * keep the client from its answer.
 */
function report(ctx: Context, thrown: unknown): void {
  try {
    const err = isNativeError(thrown) ? thrown : new Error(`Thrown, but no error: ${inspect(thrown)}`);
    logOf(ctx).error({ err }, 'Request failed');
  } catch {
    logOf(ctx).error('Request failed; what it threw cannot be read');
  }
}

/**
 * Cuts off an answer that was begun and not ended: it can't be taken back, and the client would take it for a
 * whole one. That is in the next tick, since Node hands what there is to the socket at the end of this one.
 */
export function cutOff(res: ServerResponse): void {
  if (!measurementOf({ res }).ended) process.nextTick(() => res.destroy());
}

function logOf(ctx: Context): Logger {
  return ctx['log']; // every app provides one
}

/** Headers that are removed from a problem: they describe the answer that failed. */
const OF_CONTENT = new Set([
  'accept-ranges',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-location',
  'content-range',
  'etag',
  'last-modified',
  'transfer-encoding',
]);

/** Answers with a problem. A 5xx has the request id, under which the log has more. */
export function sendProblem(res: ServerResponse, { status, detail, errors, headers }: Problem): void {
  const requestId = status >= 500 ? res.getHeader('X-Request-Id') : undefined;
  const body = problemJson({ status, detail, errors, requestId: requestId?.toString() });
  for (const name of res.getHeaderNames()) if (OF_CONTENT.has(name)) res.removeHeader(name);
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  res.setHeader('Content-Type', PROBLEM_TYPE);
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.writeHead(status, STATUS_CODES[status] ?? 'Error');
  res.end(body);
}

/**
 * Returns an error as a problem, by the rules of Koa: an error with a status keeps it, and its message is
 * told to the client only where its `expose` is true. `undefined` for a bug.
 */
export function asProblem(thrown: unknown): Problem | undefined {
  const isProblem = isNativeError(thrown) && thrown instanceof Problem;
  const status = isProblem ? thrown.status : (fieldOf(thrown, 'status') ?? fieldOf(thrown, 'statusCode'));
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 400 || status > 599)
    return undefined;
  if (isProblem) return thrown;
  const message = fieldOf(thrown, 'expose') === true ? fieldOf(thrown, 'message') : undefined;
  const detail = typeof message === 'string' ? message : (STATUS_CODES[status] ?? 'Error');
  return new Problem(status, detail, { headers: headersOf(thrown), cause: thrown });
}

/** Returns the headers that a middleware, such as @koa/cors, has put on an error for its answer. */
function headersOf(thrown: unknown): Headers {
  const headers = fieldOf(thrown, 'headers');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Node checks headers when they are set
  return typeof headers === 'object' && headers !== null ? (headers as Headers) : {};
}

/**
 * Returns a field of an error; `undefined` where the value is no error, or where reading the field throws.
 */
function fieldOf(thrown: unknown, name: string): unknown {
  try {
    return isNativeError(thrown) ? Reflect.get(thrown, name) : undefined;
  } catch {
    return undefined;
  }
}
