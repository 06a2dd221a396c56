import type { IncomingMessage } from 'node:http';
import { joined, templateOf } from './route-path.js';

const MATCHED = Symbol('the route that has matched last, and the path where its router is mounted');

/** The part of Express' route that is used. */
interface Route {
  readonly path?: unknown;
}

/** The fields that Express sets in the request. */
interface RoutedRequest {
  readonly baseUrl?: unknown;
  [MATCHED]?: { readonly route: Route | undefined; readonly mount: unknown };
}

const ROUTE: PropertyDescriptor & ThisType<RoutedRequest> = {
  configurable: true,
  enumerable: true,
  get() {
    return this[MATCHED]?.route;
  },
  set(route: Route | undefined) {
    this[MATCHED] = { route, mount: this.baseUrl };
  },
};

/**
 * Makes a request note where the router is mounted whose route matches. Express puts `baseUrl` back when
 * the router is left by `next`, and leaves `route` as it is.
 */
export function noteRoute(req: IncomingMessage): void {
  Object.defineProperty(req, 'route', ROUTE);
}

/** Returns the template of the Express route that serves a request, which must have been noted. */
export function expressRoute(req: IncomingMessage & RoutedRequest): string | undefined {
  const { route, mount } = req[MATCHED] ?? {};
  const template = templateOf(route?.path);
  return template === undefined || typeof mount !== 'string' ? template : joined(mount, template);
}
