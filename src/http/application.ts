import { randomBytes } from 'node:crypto';
import Koa, { type Context, type Middleware } from 'koa';
import { MeasuredResponse } from '../server/measured-response.js';

const onlyOwn = Symbol('no middleware but our own is mounted');

type Run = (ctx: Context) => Promise<unknown>;

/** What @types/koa leaves out of Koa's prototype. */
const koa = Koa.prototype as unknown as { handleRequest(ctx: Context, run: Run): Promise<unknown> };

/** Visible ASCII only: the id is repeated in a header and in the log. */
const ACCEPTABLE_ID = /^[\x21-\x7e]{1,128}$/;

/**
 * Koa, less what a small request can do without: a third of its cost. Every request has `ctx.state.requestId`, its
 * own or a new one, and every answer says it in `X-Request-Id`.
 */
export class Application extends Koa {
  readonly #idPrefix = randomBytes(9).toString('base64url');
  #requests = 0;

  /** How many middleware are known not to look at an answer after `next()`, and to call that at most once. */
  ownMiddleware = 0;

  /** Koa's; @types/koa does not have it. */
  declare compose: (middleware: Middleware[]) => Run;

  constructor() {
    super();
    const { compose } = this;
    this.compose = (middleware) => (this.#hasOnlyOwn() ? nested(middleware) : compose(middleware));
  }

  override callback(): ReturnType<Koa['callback']> {
    Object.assign(this.context, { [onlyOwn]: this.#hasOnlyOwn() });
    return super.callback();
  }

  /**
   * Koa's own puts five listeners on each request and its socket to hear of a connection that fails. A
   * MeasuredResponse hears that by itself; Koa comes in for what has not been answered yet, such as streams.
   */
  handleRequest(ctx: Context, run: Run): Promise<unknown> {
    const { res } = ctx;
    ctx.state['requestId'] = this.#requestId(ctx);
    if (!(res instanceof MeasuredResponse)) {
      return koa.handleRequest.call(this, ctx, (c) => run(c).then(() => setCommonHeaders(c)));
    }
    res.identify(String(ctx.state['requestId']));
    res.statusCode = 404;
    return run(ctx)
      .then(() => (res.writableEnded ? undefined : this.#respond(ctx)))
      .catch((error: unknown) => ctx.onerror(error as Error)); // takes whatever was thrown
  }

  #respond(ctx: Context): Promise<unknown> {
    const { statusCode } = ctx.res;
    setCommonHeaders(ctx);
    return koa.handleRequest.call(this, ctx, () => {
      // Koa has just made it a 404 again.
      ctx.res.statusCode = statusCode;
      return Promise.resolve();
    });
  }

  #hasOnlyOwn(): boolean {
    return this.middleware.length <= this.ownMiddleware;
  }

  #requestId({ req }: Context): string {
    const given = req.headers['x-request-id'];
    if (typeof given === 'string' && ACCEPTABLE_ID.test(given)) return given;
    return `${this.#idPrefix}-${(this.#requests += 1)}`;
  }
}

/**
 * One middleware inside the other, as koa-compose does it, less its guard against a second `next()`: that makes a promise
 * and two functions for each of them. `next()` gives what the inner one returned, a promise or not.
 */
function nested(middleware: readonly Middleware[]): Run {
  const run = middleware.reduceRight<(ctx: Context) => unknown>(
    (next, layer) => (ctx) => layer(ctx, () => next(ctx) as Promise<unknown>),
    nothing,
  );
  return async (ctx) => run(ctx);
}

function nothing(): void {}

/** What every answer has, whatever it is. */
export function setCommonHeaders(ctx: Context): void {
  const { res } = ctx;
  if (res.headersSent) return;
  res.setHeader('X-Request-Id', String(ctx.state['requestId']));
  res.setHeader('X-Content-Type-Options', 'nosniff');
}

/**
 * Answers with a text of this type and the status that is set: headers and body in one go, a quarter faster than
 * Koa. As Koa does it where middleware was added, which may look at the answer and change it, and where the server
 * is not ours: what serverless-http puts in place of `writeHead` takes no list.
 */
export function replyWith(ctx: Context, type: string, text: string): void {
  const { res } = ctx;
  if (!(res instanceof MeasuredResponse && onlyOwn in ctx && ctx[onlyOwn] === true)) {
    ctx.set('Content-Type', type);
    ctx.body = text;
    return;
  }
  ctx.respond = false;
  res.writeHead(res.statusCode, [
    'Content-Type',
    type,
    'Content-Length',
    String(Buffer.byteLength(text)),
    'X-Request-Id',
    String(ctx.state['requestId']),
    'X-Content-Type-Options',
    'nosniff',
  ]);
  sendWhole(res, text);
}

/**
 * Ends an answer whose Content-Length is set. `end` with a text hands the socket two pieces, the second one empty, which
 * takes a slower system call; here header and text leave as one, and nothing is left for `end`.
 */
function sendWhole(res: MeasuredResponse, text: string): void {
  // An earlier answer has the socket: this one waits for its turn.
  if (!res.socket) return void res.end(text);
  // Its last byte is in this write, before `end` would count it.
  res.count(res.statusCode);
  res.write(text);
  // Node has held it back for a piece that may follow.
  res.socket.uncork();
  res.end();
}
