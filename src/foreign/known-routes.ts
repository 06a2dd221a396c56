import { undescribedSeries } from '../http/routing/foreseen-series.js';
import type { Foreseen } from '../metrics/foreseen.js';

/** The property that @koa/router puts on its middleware. */
interface RouterMiddleware {
  readonly router?: { readonly stack?: readonly Layer[] };
}

interface Layer {
  readonly path: unknown;
  readonly methods: readonly string[];
}

/**
 * Returns the routes of the routers that are mounted in a Koa app, with their prefixes
 * and those of nested routers.
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
  const described = methods.filter((method) => method !== 'HEAD');
  return described.map((method) => undescribedSeries(method, path));
}
