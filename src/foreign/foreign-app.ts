import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { Server } from 'node:net';
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

/**
 * Returns the app itself, also out of a module that exports it as its default. Throws ServiceError if there
 * is none.
 * @param name says in the error's message what the source is
 */
export async function appOf(
  source: unknown,
  resources: unknown,
  name = 'What is to be served',
): Promise<ForeignApp> {
  // A loaded module may export a maker again.
  if (isMaker(source)) return appOf(await source(resources), resources, name);
  if (isKoa(source) || isListener(source)) return source;
  if (source instanceof Promise) return appOf(await source, resources, name);
  if (typeof source === 'object' && source !== null && 'default' in source && source.default !== source)
    return appOf(source.default, resources, name);
  throw new ServiceError(
    `${name} must be a Koa app, a request listener (req, res), or a function that makes one; it is ${described(source)}.`,
  );
}

function described(source: unknown): string {
  if (source instanceof Server) return 'a server: give the app itself, which must not listen';
  if (typeof source === 'function') return `the class ${source.name}: give an object of it`;
  if (typeof source !== 'object' || source === null) return String(source);
  const { constructor } = Object.getPrototypeOf(source) ?? {};
  if (constructor && constructor !== Object) return `of the class ${constructor.name}`;
  const names = Object.keys(source)
    .slice(0, 3)
    .map((name) => `"${name}"`);
  return names.length === 0 ? 'an empty object: export the app' : `an object with ${names.join(', ')}`;
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

/** Tells whether an app is what `callback()` of a Koa app gives, behind which the app can't be seen. */
export function isKoaCallback(app: ForeignApp): boolean {
  return !isKoa(app) && app.name === 'handleRequest' && String(app).includes('this.createContext(');
}

function isListener(app: unknown): app is RequestListener {
  return typeof app === 'function' && app.length >= 2 && !isClass(app);
}

function isMaker(source: unknown): source is (resources: unknown) => unknown {
  return typeof source === 'function' && source.length < 2 && !isClass(source);
}

function isClass(source: unknown): boolean {
  return /^class\b/.test(Function.prototype.toString.call(source));
}
