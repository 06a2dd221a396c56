import type { IncomingMessage } from 'node:http';

/** What @koa/router notes in the context. A layer without methods is middleware. */
interface RoutedContext {
  readonly method: string;
  readonly _matchedRoute?: unknown;
  readonly matched?: readonly Layer[];
}

interface Layer {
  readonly path: unknown;
  readonly methods: readonly string[];
}

/** What Express notes in the request: the route that matched, and where the router of that route is mounted. */
interface RoutedRequest {
  readonly route?: { readonly path?: unknown };
  readonly baseUrl?: unknown;
}

/**
 * The template of the route of @koa/router that serves a request, prefixes included; where a middleware answered before the route was
 * reached, or the path has no such method, that of the route that the path matches. Of another router that notes it in the same way.
 */
export function koaRoute({ method, _matchedRoute: current, matched }: RoutedContext): string | undefined {
  const routes = matched?.filter(({ methods }) => methods.length > 0);
  if (!routes || routes.some(({ path }) => path === current)) return templateOf(current);
  return templateOf((routes.find(({ methods }) => methods.includes(method)) ?? routes[0])?.path);
}

/** The template of the Express route that serves a request. */
export function expressRoute({ route, baseUrl }: IncomingMessage & RoutedRequest): string | undefined {
  const template = templateOf(route?.path);
  if (template === undefined || typeof baseUrl !== 'string' || baseUrl === '') return template;
  return template === '/' ? baseUrl : baseUrl + template;
}

/** A route may have a text, a regular expression, or a list of both. */
function templateOf(path: unknown): string | undefined {
  if (typeof path === 'string') return path;
  if (path instanceof RegExp) return String(path);
  return Array.isArray(path) ? path.map(String).join('|') : undefined;
}
