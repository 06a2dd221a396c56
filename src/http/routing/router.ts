import { Router as KoaRouter } from '@koa/router';
import type { Context } from 'koa';
import type { Endpoint, RequestMetrics } from '../../metrics/request-metrics.js';
import { foreseenSeries, undescribedSeries } from './foreseen-series.js';
import { hasBody } from '../body/body.js';
import { UNMATCHED, measurementOf } from '../measure.js';
import { PathIndex } from './path-index.js';
import { Problem } from '../problem.js';
import { pathOf } from '../parameters/request-target.js';
import { type Route, type RouteDeps, routesOf } from './routes.js';
import type { Serve } from './serve.js';
import { arriveWithin } from '../../server/request-deadline.js';
import { tellRoute } from '../../server/response/open-telemetry.js';
import { ESSENTIAL } from '../own-operations/service-operations.js';

export interface RouterDeps extends RouteDeps {
  readonly metrics: RequestMetrics;
}

export interface Router {
  /**
   * Finds the path template of a request, under which it is counted even if a middleware answers it.
   * `essential` requests are served under overload, too.
   */
  readonly find: (ctx: Context) => { readonly essential: boolean };
  /** Answers a request for which `find` was called before. */
  readonly route: Serve;
}

/** The operations of one path template. */
interface Resource {
  readonly endpoint: Endpoint;
  readonly parameters: readonly string[];
  /** Operations by method. A template with GET also has HEAD. */
  readonly methods: Map<string, Serve>;
  /** The milliseconds for a request to arrive, by method; `undefined` if no operation has its own. */
  timeouts: Map<string, number> | undefined;
  allow: string;
  essential: boolean;
}

const NO_PARAMETERS = Object.freeze({});

/**
 * The template that a target matches, if any, and the segments that are the values of
 * its parameters, still encoded.
 */
interface Match {
  readonly url: string;
  readonly resource: Resource | undefined;
  readonly segments: readonly string[];
  readonly essential: boolean;
}

const match = Symbol('the template that the request matches');

/**
 * Serves the operations of the contract. A path that matches no template gets a 404, a method that the path
 * does not have gets a 405 with `Allow`, and OPTIONS is answered with `Allow`.
 */
export function createRouter(deps: RouterDeps): Router {
  const routes = routesOf(deps);
  const index = indexOf(registered(routes), routes, deps.metrics);
  if (deps.config.metricsZeros) foresee(routes, deps);
  const unmatched = deps.metrics.endpoint(UNMATCHED);
  const find = (ctx: Context): Match => {
    const segments: string[] = [];
    const { url = '' } = ctx.req;
    const resource = index.find(pathOf(url), segments);
    measurementOf(ctx).endpoint = resource?.endpoint ?? unmatched;
    if (resource) tellRoute(resource.endpoint.template);
    const timeoutMs = resource?.timeouts?.get(ctx.req.method ?? '');
    if (timeoutMs !== undefined && hasBody(ctx)) arriveWithin(timeoutMs, ctx.req, ctx.res);
    return (ctx[match] = { url, resource, segments, essential: resource?.essential === true });
  };
  return {
    find,
    route: (ctx) => {
      const before: Match = ctx[match]; // `find` made it
      // A middleware may have changed the URL since, for example to remove a prefix.
      const { resource, segments } = before.url === ctx.req.url ? before : find(ctx);
      if (!resource) return withoutPath(ctx);
      const serve = resource.methods.get(ctx.req.method ?? '');
      if (!serve) return withoutMethod(ctx, resource.allow);
      ctx['params'] = parametersOf(resource, segments);
      return serve(ctx);
    },
  };
}

function registered(routes: readonly Route[]): KoaRouter {
  const router = new KoaRouter({ sensitive: true, strict: true });
  for (const { operation, templates, serve } of routes) {
    const called: Serve = (ctx) => {
      ctx['operation'] = operation;
      return serve(ctx);
    };
    for (const template of templates)
      router.register(routePath(template), [operation.method], called, { name: template });
  }
  return router;
}

/** Tells the metrics the series of all routes, so that they are at 0 before the first request. */
function foresee(routes: readonly Route[], { contract, metrics }: RouterDeps): void {
  const described = new Map(contract.operations.map((operation) => [operation.id, operation]));
  for (const { operation: called } of routes) {
    const operation = described.get(called.id);
    metrics.foreseen.push(
      operation ? foreseenSeries(operation, contract) : undescribedSeries(called.method, called.path),
    );
  }
}

/** Writes `/hello/{name}` for @koa/router: names in quotes, and its special characters escaped. */
function routePath(template: string): string {
  return template.replaceAll(/\{([^{}]+)\}|[()[\]+?!:*\\]/g, (found, name?: string) =>
    name === undefined ? `\\${found}` : `:${JSON.stringify(name)}`,
  );
}

/** Makes an index of the routes: @koa/router would try one after the other for every request. */
function indexOf(router: KoaRouter, routes: readonly Route[], metrics: RequestMetrics): PathIndex<Resource> {
  const essential = new Set(
    routes.flatMap(({ operation, templates }) => (ESSENTIAL.has(operation.id) ? templates : [])),
  );
  const index = new PathIndex<Resource>();
  const resources = new Map<string, Resource>();
  const paths = new Map(
    routes.flatMap(({ operation, templates }) => templates.map((template) => [template, operation.path])),
  );
  for (const { name: template = '', methods, stack } of router.stack) {
    const parameters = [...template.matchAll(/\{([^{}]+)\}/g)].map(([, name]) => name ?? '');
    const resource = resources.get(template) ?? {
      // Requests are counted under the path of the description, without the base path of a server.
      endpoint: metrics.endpoint(paths.get(template) ?? template),
      parameters,
      methods: new Map(),
      timeouts: undefined,
      allow: '',
      essential: essential.has(template),
    };
    resources.set(template, resource);
    const [described, head] = methods.toReversed();
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `registered` gave it this one
    const serve = stack[0] as Serve;
    if (described !== undefined) resource.methods.set(described, serve);
    // @koa/router adds HEAD to each GET. A HEAD that the description has itself goes before.
    if (head !== undefined && !resource.methods.has(head)) resource.methods.set(head, serve);
    resource.allow = [...new Set([...resource.methods.keys(), 'OPTIONS'])].join(', ');
    index.set(template, resource);
  }
  for (const { operation, templates, requestTimeoutMs } of routes) {
    if (requestTimeoutMs === undefined) continue;
    for (const resource of templates.flatMap((template) => resources.get(template) ?? []))
      (resource.timeouts ??= new Map()).set(operation.method, requestTimeoutMs);
  }
  return index;
}

function parametersOf(
  { parameters }: Resource,
  segments: readonly string[],
): Readonly<Record<string, string>> {
  if (parameters.length === 0) return NO_PARAMETERS;
  const values: Record<string, string> = {};
  for (const [index, name] of parameters.entries()) values[name] = segments[index] ?? '';
  return values;
}

function withoutPath(ctx: Context): undefined {
  // OPTIONS with "*" asks about the server as a whole (RFC 9110 section 9.3.7).
  if (ctx.req.method !== 'OPTIONS' || ctx.req.url !== '*')
    throw new Problem(404, 'There is nothing at this path.');
  ctx.status = 204;
  return undefined;
}

function withoutMethod(ctx: Context, allow: string): undefined {
  if (ctx.req.method !== 'OPTIONS') {
    throw new Problem(405, `This path has ${allow}.`, { headers: { Allow: allow } });
  }
  ctx.res.setHeader('Allow', allow);
  ctx.status = 204;
  return undefined;
}
