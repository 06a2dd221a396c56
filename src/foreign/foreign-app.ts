import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Context } from 'koa';
import { ServiceError } from '../http/define-service.js';

/** The part of a Koa app, of any version, that is used. */
export interface KoaApp {
  readonly middleware: readonly unknown[];
  /** The prototype of its contexts. */
  readonly context: object;
  callback(): (req: IncomingMessage, res: ServerResponse) => unknown;
  listenerCount(event: 'error'): number;
  on(event: 'error', listener: (err: Error, ctx?: Context) => void): unknown;
  onerror(err: Error): void;
  /** Whether errors are not to be logged. */
  readonly silent?: boolean;
}

/**
 * An app that was written without this package: a Koa app, or any request listener, such as an Express app.
 */
export type ForeignApp = KoaApp | RequestListener;

/**
 * An app, or a function that makes one from the result of `start`. A function with less than two
 * parameters counts as such a maker.
 */
export type AppSource<Started> = ForeignApp | ((resources: Started) => ForeignApp | Promise<ForeignApp>);

/** Returns the app itself, also out of a module that exports it as its default. Throws ServiceError if there is none. */
export async function appOf(source: unknown, resources: unknown): Promise<ForeignApp> {
  // A loaded module may export a maker again.
  if (isMaker(source)) return appOf(await source(resources), resources);
  if (isKoa(source) || isListener(source)) return source;
  if (typeof source === 'object' && source !== null && 'default' in source && source.default !== source)
    return appOf(source.default, resources);
  const got = source === null ? 'null' : typeof source;
  throw new ServiceError(
    `What is to be served must be a Koa app, a request listener (req, res), or a function that makes one; it is ${got === 'object' ? 'another object' : got}.`,
  );
}

/** Tells whether an app reports its errors itself: by a listener, or by a method in place of that of Koa. */
export function reportsErrors(app: KoaApp): boolean {
  let koa: unknown = app;
  while (typeof koa === 'object' && koa !== null && !Object.hasOwn(koa, 'use'))
    koa = Object.getPrototypeOf(koa);
  const isOwn = typeof koa === 'object' && koa !== null && 'onerror' in koa && koa.onerror !== app.onerror;
  return isOwn || app.listenerCount('error') > 0;
}

export function isKoa(app: unknown): app is KoaApp {
  return typeof app === 'object' && app !== null && 'callback' in app && 'middleware' in app;
}

function isListener(app: unknown): app is RequestListener {
  return typeof app === 'function' && app.length >= 2;
}

function isMaker(source: unknown): source is (resources: unknown) => unknown {
  return typeof source === 'function' && source.length < 2;
}
