import compose from 'koa-compose';
import Koa, { type Context, type Middleware } from 'koa';
import { type Problem, sendProblem } from './problem.js';
import { setCommonHeaders } from './request-id.js';
import { respond } from './answer/respond.js';

type Run = (ctx: Context) => Promise<unknown>;

interface ApplicationOptions {
  /**
   * Called for every request before the first middleware. It may delay the request, and its
   * problem, if any, is the answer.
   */
  readonly begin: (ctx: Context) => Promise<Problem | undefined> | undefined;
  /**
   * Called when all middleware has passed the request on. Throws, or returns a promise if
   * there is something to wait for.
   */
  readonly route: (ctx: Context) => Promise<unknown> | undefined;
  /** Answers an error that was thrown. Must not throw. */
  readonly fail: (ctx: Context, thrown: unknown) => void;
}

/** A Koa app whose chain of middleware ends in a router, and whose answers are written by `respond`. */
export class Application extends Koa {
  readonly #begin: ApplicationOptions['begin'];
  readonly #fail: (ctx: Context, thrown: unknown) => void;

  constructor({ begin, route, fail }: ApplicationOptions) {
    const composed = (middleware: Middleware[]): Run => {
      if (middleware.length === 0) return restoringHeaders(route, false);
      const run = compose(middleware);
      const end = restoringHeaders(route, true);
      return (ctx) => run(ctx, () => end(ctx));
    };
    // Koa has this option; its types do not.
    const options = { proxy: false, compose: composed };
    super(options);
    this.#begin = begin;
    this.#fail = fail;
    // Koa also calls this without an error, when an answer has ended well.
    const onerror = function (this: Context, error: unknown) {
      if (error !== null && error !== undefined) fail(this, error);
    };
    Object.assign(this.context, { onerror });
  }

  /**
   * Handles a request in place of Koa's own method, which puts five listeners on each request and its socket
   * to notice a failing connection: a third of the cost of a small request. The measurement, and a stream
   * that is sent, notice that by themselves.
   */
  async handleRequest(ctx: Context, run: Run): Promise<void> {
    ctx.res.statusCode = 404;
    try {
      const wait = this.#begin(ctx);
      const refusal = wait && (await wait);
      if (refusal) return sendProblem(ctx.res, refusal);
      await run(ctx);
    } catch (error) {
      return this.#fail(ctx, error);
    }
    try {
      const sent = respond(ctx);
      if (sent) await sent;
    } catch (error) {
      restoreHeaders(ctx);
      this.#fail(ctx, error);
    }
  }
}

const headers = Symbol('what middleware had put into the header when the operation began');

/**
 * Removes the headers that an operation had set before it threw. Headers of middleware, such as CORS, stay.
 */
function restoringHeaders(route: ApplicationOptions['route'], behindMiddleware: boolean): Run {
  return async (ctx) => {
    if (behindMiddleware) ctx[headers] = ctx.res.getHeaders();
    try {
      const answered = route(ctx);
      if (answered) await answered;
    } catch (error) {
      restoreHeaders(ctx);
      throw error;
    }
  };
}

function restoreHeaders(ctx: Context): void {
  const { res } = ctx;
  if (res.headersSent) return;
  const before: ReturnType<typeof res.getHeaders> | undefined = ctx[headers];
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  setCommonHeaders(ctx);
  for (const [name, value] of Object.entries(before ?? {}))
    if (value !== undefined) res.setHeader(name, value);
}
