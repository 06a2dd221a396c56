import { undescribedSeries } from '../http/routing/foreseen-series.js';
import type { Foreseen } from '../metrics/foreseen.js';
import { METHODS } from '../metrics/request-metrics.js';

/** The property that @koa/router puts on its middleware. */
interface RouterMiddleware {
  readonly router?: { readonly stack?: readonly Layer[] };
}

interface Layer {
  readonly path: unknown;
  readonly methods: readonly string[];
}

/** The methods that are foreseen of a route that takes all. */
const USUAL = ['GET', 'POST'];

/**
 * Returns the routes of the routers that a Koa app uses, with their prefixes and those of nested routers. A
 * router within koa-mount, koa-compose or any other middleware can't be seen.
 */
export function knownRoutes(middleware: readonly unknown[]): Foreseen[] {
  return middleware
    .filter(isRouter)
    .flatMap(({ router }) => router?.stack ?? [])
    .flatMap(foreseen);
}

function isRouter(layer: unknown): layer is RouterMiddleware {
  return typeof layer === 'function' && 'router' in layer;
}

function foreseen({ path, methods }: Layer): Foreseen[] {
  if (typeof path !== 'string') return [];
  const named = [...METHODS].filter((method) => methods.includes(method));
  // Nobody asks for all methods of a path that takes all (\`router.all\`, \`router.redirect\`).
  const asked = named.length === METHODS.size ? USUAL : named.filter((method) => method !== 'HEAD');
  return asked.map((method) => undescribedSeries(method, path));
}
