import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Context } from 'koa';
import { measurementOf } from '../http/measure.js';
import type { Logger } from '../log.js';
import type { EndpointLabels } from './endpoint-labels.js';
import { type ForeignApp, isKoa, type KoaApp } from './foreign-app.js';
import { expressRoute, koaRoute } from './matched-route.js';

/** Says what a request is counted under, asked when its answer is ready: by a Koa app's context, or the request of any other. */
export type EndpointOf = (request: Context & IncomingMessage) => string | undefined;

interface ListenerOptions {
  readonly labels: EndpointLabels;
  readonly log: Logger;
  readonly endpoint?: EndpointOf | undefined;
}

/** The listener of an app, which counts each request under the route that serves it. */
export function listenerOf(app: ForeignApp, options: ListenerOptions): RequestListener {
  return isKoa(app) ? koaListener(app, options) : plainListener(app, options);
}

/** What the types of Koa leave open: it makes each context by this method of the app. */
type ContextMaker = { createContext(req: IncomingMessage, res: ServerResponse): Context & IncomingMessage };

function koaListener(app: KoaApp, { labels, log, endpoint = koaRoute }: ListenerOptions): RequestListener {
  // Without a listener Koa writes errors to the console.
  if (app.listenerCount('error') === 0) app.on('error', (err) => logUnexpected(log, err));
  const maker = app as KoaApp & ContextMaker; // every version has it
  const createContext = maker.createContext.bind(app);
  maker.createContext = (req, res) => {
    const ctx = createContext(req, res);
    measurementOf({ res }).endpoint = labels.late(() => endpoint(ctx));
    return ctx;
  };
  const handle = app.callback();
  return (req, res) => void handle(req, res);
}

/** Koa's own rule: what a client is shown, or asked for in vain, is no error of the app. */
function logUnexpected(log: Logger, err: unknown): void {
  const { status, expose } = typeof err === 'object' && err !== null ? (err as Partial<HttpError>) : {}; // of http-errors or not
  if (status !== 404 && expose !== true) log.error({ err }, 'A request failed');
}

interface HttpError {
  readonly status: unknown;
  readonly expose: unknown;
}

function plainListener(
  listener: RequestListener,
  { labels, log, endpoint = expressRoute }: ListenerOptions,
): RequestListener {
  return (req, res) => {
    const request = req as Context & IncomingMessage; // one of a listener is only asked for what a request has
    measurementOf({ res }).endpoint = labels.late(() => endpoint(request));
    const failed = (err: unknown) => fail(res, err, log);
    try {
      const result: unknown = listener(req, res);
      if (result instanceof Promise) result.catch(failed);
    } catch (err) {
      failed(err);
    }
  };
}

/** Without this a client would wait for ever, and the worker be replaced. */
function fail(res: ServerResponse, err: unknown, log: Logger): void {
  log.error({ err }, 'A request failed');
  if (res.headersSent) return void res.destroy();
  res.writeHead(500, { 'Content-Type': 'text/plain; charset=utf-8' }).end('Internal Server Error');
}
