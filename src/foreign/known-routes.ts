import type { Foreseen } from '../metrics/foreseen.js';

/** What @koa/router leaves on the middleware that it makes. */
interface RouterMiddleware {
  readonly router?: { readonly stack?: readonly Layer[] };
}

interface Layer {
  readonly path: unknown;
  readonly methods: readonly string[];
}

/** Nobody has said which statuses a route has: these are what success and alerts are made of. */
const STATUSES = [200, 500, 503];

/** The routes of the routers that are mounted in a Koa app itself, with their prefixes and those of routers within routers. */
export function knownRoutes(middleware: readonly unknown[]): Foreseen[] {
  return middleware.flatMap((layer) => (layer as RouterMiddleware).router?.stack ?? []).flatMap(foreseen); // a function may have any property
}

function foreseen({ path, methods }: Layer): Foreseen[] {
  if (typeof path !== 'string') return [];
  const described = methods.filter((method) => method !== 'HEAD');
  return described.map((method) => ({ method, endpoint: path, statuses: STATUSES }));
}
