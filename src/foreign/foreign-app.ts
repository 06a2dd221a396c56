import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { ServiceError } from '../http/define-service.js';

/** The part of a Koa app, of whatever version, that is used. */
export interface KoaApp {
  readonly middleware: readonly unknown[];
  callback(): (req: IncomingMessage, res: ServerResponse) => unknown;
  listenerCount(event: 'error'): number;
  on(event: 'error', listener: (err: Error) => void): unknown;
}

/** An app that was written without this package: Koa's, or any request listener, such as Express'. */
export type ForeignApp = KoaApp | RequestListener;

/** An app, or a function that makes one of what `start` gave. A function with less than two parameters is taken for such a one. */
export type AppSource<Started> = ForeignApp | ((resources: Started) => ForeignApp | Promise<ForeignApp>);

/** The app itself. Throws ServiceError where there is none. */
export async function appOf(source: unknown, resources: unknown): Promise<ForeignApp> {
  // What is loaded may be a maker again.
  if (isMaker(source)) return appOf(await source(resources), resources);
  if (isKoa(source) || isListener(source)) return source;
  const got = source === null ? 'null' : typeof source;
  throw new ServiceError(
    `What is to be served must be a Koa app, a request listener (req, res), or a function that makes one; it is ${got === 'object' ? 'another object' : got}.`,
  );
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
