import compose from 'koa-compose';
import Koa, { type Context, type Middleware } from 'koa';
import { type Problem, sendProblem } from './problem.js';
import { COMMON_HEADERS, setCommonHeaders } from './request-id.js';
import { respond } from './answer/respond.js';
import { checkAtEnd } from './answer/response-check.js';
import { takeWebBodies } from './answer/web-bodies.js';

type Route = (ctx: Context) => Promise<unknown> | undefined;

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
  readonly route: Route;
  /** Answers an error that was thrown. Must not throw. */
  readonly fail: (ctx: Context, thrown: unknown) => void;
}

/** A Koa app whose chain of middleware ends in a router, and whose answers are written by `respond`. */
export class Application extends Koa {
  readonly #begin: ApplicationOptions['begin'];
  readonly #fail: (ctx: Context, thrown: unknown) => void;

  constructor({ begin, route, fail }: ApplicationOptions) {
    const composed = (middleware: Middleware[]): Route => {
      if (middleware.length === 0) return route;
      const run = compose(middleware);
      const end = restoringHeaders(route);
      return (ctx) => run(ctx, async () => end(ctx));
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
    takeWebBodies(this.response);
  }

  /**
   * Handles a request in place of Koa's own method, which puts five listeners on each request and its socket
   * to notice a failing connection: a third of the cost of a small request. The measurement, and a stream
   * that is sent, notice that by themselves.
   */
  async handleRequest(ctx: Context, run: Route): Promise<void> {
    ctx.res.statusCode = 404;
    try {
      const wait = this.#begin(ctx);
      const refusal = wait && (await wait);
      if (refusal) return sendProblem(ctx.res, refusal);
      const answered = run(ctx);
      if (answered) await answered;
    } catch (error) {
      // Otherwise it has been done before the error came to the middleware.
      if (this.middleware.length === 0) restoreHeaders(ctx);
      return this.#fail(ctx, error);
    }
    try {
      checkAtEnd(ctx);
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
function restoringHeaders(route: Route): Route {
  return (ctx) => {
    ctx[headers] = ctx.res.getHeaders();
    const restore = (error: unknown): never => {
      restoreHeaders(ctx);
      throw error;
    };
    try {
      return route(ctx)?.catch(restore);
    } catch (error) {
      return restore(error);
    }
  };
}

function restoreHeaders(ctx: Context): void {
  const { res } = ctx;
  if (res.headersSent) return;
  const before: ReturnType<typeof res.getHeaders> | undefined = ctx[headers];
  for (const name of res.getHeaderNames()) if (!COMMON_HEADERS.has(name)) res.removeHeader(name);
  setCommonHeaders(ctx);
  for (const [name, value] of Object.entries(before ?? {}))
    if (value !== undefined) res.setHeader(name, value);
}
