import type { IncomingMessage } from 'node:http';

/** The fields that @koa/router sets in the context. A layer without methods is middleware. */
interface RoutedContext {
  readonly method: string;
  readonly _matchedRoute?: unknown;
  readonly matched?: readonly Layer[];
}

interface Layer {
  readonly path: unknown;
  readonly methods: readonly string[];
}

/**
 * The fields that Express sets in the request: the route that matched, and the path
 * where its router is mounted.
 */
interface RoutedRequest {
  readonly route?: { readonly path?: unknown };
  readonly baseUrl?: unknown;
}

/**
 * Returns the template of the @koa/router route that serves a request, with prefixes. If a middleware
 * answered before the route was reached, or the path has no such method, it is the template of the route that
 * matches the path. Other routers that set `_matchedRoute` work too.
 */
export function koaRoute({ method, _matchedRoute: current, matched }: RoutedContext): string | undefined {
  const routes = matched?.filter(({ methods }) => methods.length > 0);
  if (!routes || routes.some(({ path }) => path === current)) return templateOf(current);
  return templateOf((routes.find(({ methods }) => methods.includes(method)) ?? routes[0])?.path);
}

/** Returns the template of the Express route that serves a request. */
export function expressRoute({ route, baseUrl }: IncomingMessage & RoutedRequest): string | undefined {
  const template = templateOf(route?.path);
  if (template === undefined || typeof baseUrl !== 'string' || baseUrl === '') return template;
  return template === '/' ? baseUrl : baseUrl + template;
}

/** The path of a route. */
export type RoutePath = string | RegExp | readonly (string | RegExp)[];

/** Writes the path of a route; undefined for anything else. */
export function templateOf(path: unknown): string | undefined {
  if (typeof path === 'string') return path;
  if (path instanceof RegExp) return String(path);
  return Array.isArray(path) ? path.map(String).join('|') : undefined;
}
