import { mountOf } from './koa-mounts.js';
import { joined, templateOf } from './route-path.js';

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
 * Returns the template of the @koa/router route that serves a request, with prefixes, those of koa-mount
 * included where they are noted. If a middleware answered before the route was reached, or the path has no
 * such method, it is the template of the route that matches the path. Other routers that set `_matchedRoute`
 * work too.
 */
export function koaRoute(ctx: RoutedContext): string | undefined {
  const { method, _matchedRoute: current, matched } = ctx;
  if (!matched) return templateOf(current);
  const routes = matched.filter(({ methods }) => methods.length > 0);
  const route =
    routes.findLast(({ path }) => path === current) ??
    routes.find(({ methods }) => methods.includes(method)) ??
    routes[0];
  const template = templateOf(route?.path);
  return template === undefined ? undefined : joined(mountOf(ctx, route), template);
}
