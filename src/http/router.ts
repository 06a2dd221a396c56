import { Router } from '@koa/router';
import type { Context, Middleware } from 'koa';
import { type RequestMetrics, type Endpoint } from '../metrics/request-metrics.js';
import { setEndpoint } from './measure.js';
import type { Contract } from './contract.js';
import { PathIndex } from './path-index.js';
import { Problem } from './problem.js';
import { serveOperation } from './serve.js';
import { type ServiceDeps, serviceHandlers } from './service-operations.js';
import { pathOf, percentDecoded } from './request-target.js';

export interface RouterDeps extends ServiceDeps {
  readonly contract: Contract;
  readonly metrics: RequestMetrics;
}

/** What is served under one path template. */
interface Resource {
  readonly endpoint: Endpoint;
  readonly parameters: readonly string[];
  /** By method. HEAD is there wherever GET is. */
  readonly methods: Map<string, Middleware>;
  allow: string;
}

const NO_PARAMETERS = Object.freeze({});

/**
 * Middleware that serves the operations of the contract, and is the last: what no path template matches is a 404, a
 * method that a path does not have a 405 with `Allow`, and OPTIONS is answered with `Allow`.
 */
export function createRouter(deps: RouterDeps): Middleware {
  const index = indexOf(registered(deps), deps.metrics);
  return (ctx, next) => {
    const segments: string[] = [];
    const resource = index.find(pathOf(ctx.req.url ?? ''), segments);
    if (!resource) return unmatched(ctx);
    setEndpoint(ctx.res, resource.endpoint);
    const serve = resource.methods.get(ctx.req.method ?? '');
    if (!serve) return withoutMethod(ctx, resource.allow);
    ctx['params'] = parametersOf(resource, segments);
    return serve(ctx, next);
  };
}

/** The routes of the contract; an operation of the service that is switched off by configuration has none. */
function registered(deps: RouterDeps): Router {
  const router = new Router({ sensitive: true, strict: true });
  const { contract } = deps;
  const own = serviceHandlers(deps);
  for (const operation of contract.operations) {
    const handler = contract.handlers[operation.id] ?? own[operation.id];
    if (handler) {
      const serve = serveOperation(operation, handler, {
        bodyLimit: deps.config.bodyLimit,
        validateResponses: contract.validateResponses,
      });
      router.register(routePath(operation.path), [operation.method], serve, { name: operation.path });
    }
  }
  return router;
}

/** `/hello/{name}` as @koa/router writes it: names in quotes, and its own special characters escaped. */
function routePath(template: string): string {
  return template.replaceAll(/\{([^{}]+)\}|[()[\]+?!:*\\]/g, (found, name?: string) =>
    name === undefined ? `\\${found}` : `:${JSON.stringify(name)}`,
  );
}

/** An index of the routes: @koa/router would try one after the other, for every request. */
function indexOf(router: Router, metrics: RequestMetrics): PathIndex<Resource> {
  const index = new PathIndex<Resource>();
  const resources = new Map<string, Resource>();
  for (const { name: template = '', methods, stack } of router.stack) {
    const parameters = [...template.matchAll(/\{([^{}]+)\}/g)].map(([, name]) => name ?? '');
    const resource = resources.get(template) ?? {
      endpoint: metrics.endpoint(template),
      parameters,
      methods: new Map(),
      allow: '',
    };
    resources.set(template, resource);
    const [described, head] = methods.toReversed();
    const serve = stack[0] as Middleware; // the one that `registered` gave it
    if (described !== undefined) resource.methods.set(described, serve);
    // A GET brings its HEAD, but one that is described itself goes before.
    if (head !== undefined && !resource.methods.has(head)) resource.methods.set(head, serve);
    resource.allow = [...new Set([...resource.methods.keys(), 'OPTIONS'])].join(', ');
    index.set(template, resource);
  }
  return index;
}

function parametersOf(
  { parameters }: Resource,
  segments: readonly string[],
): Readonly<Record<string, string>> {
  if (parameters.length === 0) return NO_PARAMETERS;
  const values: Record<string, string> = {};
  for (const [index, name] of parameters.entries())
    values[name] = percentDecoded(segments[index] ?? '', 'path', `/${name}`);
  return values;
}

function unmatched(ctx: Context): void {
  // RFC 9110 section 9.3.7: "*" asks about the server as a whole.
  if (ctx.req.method !== 'OPTIONS' || ctx.req.url !== '*')
    throw new Problem(404, 'There is nothing at this path.');
  ctx.status = 204;
}

function withoutMethod(ctx: Context, allow: string): void {
  if (ctx.req.method !== 'OPTIONS') {
    throw new Problem(405, `This path has ${allow}.`, { headers: { Allow: allow } });
  }
  ctx.res.setHeader('Allow', allow);
  ctx.status = 204;
}
