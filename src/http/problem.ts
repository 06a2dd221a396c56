import { STATUS_CODES, type ServerResponse } from 'node:http';
import Koa, { HttpError } from 'koa';
import type { Logger } from 'pino';
import { setCommonHeaders } from './application.js';
import type { Fault } from '../openapi/validation.js';

interface ProblemOptions {
  readonly errors?: readonly Fault[];
  /** Further headers of the answer, such as `Allow`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** For the log. */
  readonly cause?: unknown;
}

/** What the client is to be told (RFC 9457). Every other error is a bug: a bare 500 for the client. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly errors: readonly Fault[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly status: number,
    readonly detail: string,
    { errors, headers = {}, cause }: ProblemOptions = {},
  ) {
    super(detail, cause === undefined ? undefined : { cause });
    this.errors = errors;
    this.headers = headers;
  }
}

/**
 * Renders everything that is thrown, also by a stream that is sent or by the serialization of a body, as
 * `application/problem+json`.
 */
export function renderErrors(app: Koa, log: Logger): void {
  // Koa's own place for this. A middleware with try and catch would cost every request a promise, and see less.
  const failed = new WeakSet<Koa.Context>();
  const onerror = function (this: Koa.Context, error: unknown) {
    // Called when an answer has ended well, too, and more than once for one stream.
    if (error === null || error === undefined || failed.has(this)) return;
    failed.add(this);
    fail(this, error, log);
  };
  Object.assign(app.context, { onerror });
}

/** How Node calls it when the other side of a connection has gone. */
const GONE = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE']);

function fail(ctx: Koa.Context, error: unknown, log: Logger): void {
  const { res } = ctx;
  const { requestId } = ctx.state;
  const open = ctx.writable && !res.destroyed;
  if (!open && GONE.has((error as NodeJS.ErrnoException).code ?? '')) {
    log.debug({ requestId, err: error }, 'The client left before the answer was complete');
    return;
  }
  const problem = asProblem(error);
  if (!problem || problem.status >= 500) log.error({ requestId, err: error }, 'Request failed');
  // Half an answer can't be taken back; the client must not take it for a whole one.
  if (res.headersSent) res.destroy();
  else if (open) render(ctx, problem ?? new Problem(500, INTERNAL));
}

const INTERNAL = 'The service failed. Its log has more under this request id.';

function render(ctx: Koa.Context, problem: Problem): void {
  const { res } = ctx;
  // They were meant for the answer that failed.
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  setCommonHeaders(ctx);
  sendProblem(res, problem);
}

/** Answers with a problem; a 5xx with the request id of the answer, for who reads the log. */
export function sendProblem(res: ServerResponse, problem: Problem): void {
  const { status, detail, errors, headers } = problem;
  const title = STATUS_CODES[status] ?? 'Error';
  const requestId = status >= 500 ? res.getHeader('X-Request-Id') : undefined;
  const body = JSON.stringify({ type: 'about:blank', title, status, detail, errors, requestId });
  res.writeHead(status, title, {
    ...headers,
    'Content-Type': 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
  });
  res.end(body);
}

/** What `ctx.throw` makes is a problem too, as far as it is meant for the client. */
export function asProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (!(error instanceof HttpError) || !error.expose) return undefined;
  return new Problem(error.status, error.message, { headers: error.headers ?? {} });
}
