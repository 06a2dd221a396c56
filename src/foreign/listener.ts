import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Context } from 'koa';
import { isMeasured, measurementOf } from '../http/measure.js';
import { cutOff } from '../http/problem.js';
import { idsOf, provideLog } from '../http/request-log.js';
import type { Logger } from '../log.js';
import type { EndpointLabels, Label } from './endpoint-labels.js';
import { expressRoute, noteRoute } from './express-route.js';
import { type ForeignApp, isKoa, type KoaApp, reportsErrors } from './foreign-app.js';
import { noteMounts } from './koa-mounts.js';
import { koaRoute } from './koa-route.js';

/**
 * Koa's context, or the request of an app that is no Koa app. An app knows which, and may know a narrower
 * type.
 */
export type ServedRequest = Context & IncomingMessage;

/**
 * Returns the endpoint label of a request; nothing if no route matched. It is called when the answer is
 * ready.
 */
export type EndpointOf<Request = ServedRequest> = (request: Request) => Label;

interface ListenerOptions {
  readonly labels: EndpointLabels;
  readonly log: Logger;
  /** Fields that the contexts of a Koa app get beside `log`, unless the app has them itself. */
  readonly provided?: object;
  readonly endpoint?: EndpointOf | undefined;
}

/** Makes the listener of an app, which counts each request under the route that serves it. */
export function listenerOf(app: ForeignApp, options: ListenerOptions): RequestListener {
  return isKoa(app) ? koaListener(app, options) : plainListener(app, options);
}

/** The method by which Koa makes each context; its types leave the method out. */
type ContextMaker = { createContext(req: IncomingMessage, res: ServerResponse): Context & IncomingMessage };

function koaListener(
  app: KoaApp,
  { labels, log, provided = {}, endpoint = koaRoute }: ListenerOptions,
): RequestListener {
  provide(app, log, provided);
  // Koa writes errors to the console if there is no listener.
  if (!reportsErrors(app)) app.on('error', (err, ctx) => app.silent !== true && logUnexpected(log, err, ctx));
  noteMounts(app.context);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every version of Koa has it
  const maker = app as KoaApp & ContextMaker;
  const createContext = maker.createContext.bind(app);
  maker.createContext = (req, res) => {
    const ctx = createContext(req, res);
    // The app may have a server of its own beside, whose requests are not counted.
    if (!isMeasured(res)) return ctx;
    res.measurement.endpoint = labels.late(() => endpoint(ctx));
    res.measurement.joinTrace();
    return ctx;
  };
  const handle = app.callback();
  return (req, res) => void handle(req, res);
}

/** Gives the contexts of an app the fields that those of a described service have. */
function provide(app: KoaApp, log: Logger, fields: object): void {
  if (!('log' in app.context)) provideLog(app, log);
  for (const [name, value] of Object.entries(fields))
    if (!(name in app.context)) Object.assign(app.context, { [name]: value as unknown });
}

/**
 * Logs an error, unless Koa's own rule says that it is none of the app's: a 404, or one whose
 * message the client is shown.
 */
function logUnexpected(log: Logger, err: unknown, ctx: Context | undefined): void {
  const { status, expose } = typeof err === 'object' && err !== null ? (err as Partial<HttpError>) : {}; // of http-errors or not
  if (status !== 404 && expose !== true) log.error({ ...(ctx && idsOf(ctx)), err }, 'A request failed');
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
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of a listener it reads only the request
    const request = req as Context & IncomingMessage;
    if (endpoint === expressRoute) noteRoute(req);
    measurementOf({ res }).endpoint = labels.late(() => endpoint(request));
    measurementOf({ res }).joinTrace();
    const failed = (err: unknown) => fail(res, err, log);
    try {
      const result: unknown = listener(req, res);
      if (result instanceof Promise) result.catch(failed);
    } catch (err) {
      failed(err);
    }
  };
}

/** Answers an error with a 500: without it the client would wait for ever, and the worker be replaced. */
function fail(res: ServerResponse, err: unknown, log: Logger): void {
  log.error({ ...idsOf({ res }), err }, 'A request failed');
  if (res.headersSent) return cutOff(res);
  // The headers belong to the answer that has failed.
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  const text = 'Internal Server Error';
  res.writeHead(500, text, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': text.length });
  res.end(text);
}
