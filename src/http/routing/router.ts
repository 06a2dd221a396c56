import { Router as KoaRouter } from '@koa/router';
import type { Context } from 'koa';
import type { Endpoint, RequestMetrics } from '../../metrics/request-metrics.js';
import { foreseenSeries, undescribedSeries } from './foreseen-series.js';
import { hasBody } from '../body/body.js';
import { UNMATCHED, measurementOf } from '../measure.js';
import { PathIndex } from './path-index.js';
import { namesIn, shapeOf } from '../../openapi/operations/paths.js';
import { type ServiceOperation, serviceOperationAt } from '../../openapi/operations/service-operations.js';
import { setOwn } from '../parameters/own-property.js';
import { encodedParams } from '../parameters/parameter-readers.js';
import { Problem } from '../problem.js';
import { decodedIfValid, normalTarget, pathOf } from '../parameters/request-target.js';
import { type Route, type RouteDeps, routesOf } from './routes.js';
import type { Serve } from './serve.js';
import { arriveWithin } from '../../server/request-deadline.js';
import { routeTeller } from '../../server/response/open-telemetry.js';
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

/** The operations of the templates that match the same paths. */
interface Resource {
  /** The endpoint under which a method that it does not have is counted. */
  readonly endpoint: Endpoint;
  /** Operations by method. A template with GET also has HEAD. */
  readonly methods: Map<string, Method>;
}

/** An operation under one of its templates. */
interface Method {
  readonly endpoint: Endpoint;
  readonly parameters: readonly string[];
  readonly serve: Serve;
  /** The milliseconds for a request to arrive; `undefined` where the time of the service holds. */
  readonly timeoutMs: number | undefined;
  readonly essential: boolean;
}

const NO_PARAMETERS = Object.freeze({});

/**
 * The operation that a request calls, if any, and the segments that are the values of
 * its parameters, still encoded.
 */
interface Match {
  readonly url: string;
  readonly method: string;
  readonly called: Method | undefined;
  /** The resources that the path matches and that do not have the method, the most concrete first. */
  readonly others: readonly Resource[];
  readonly segments: readonly string[];
  readonly essential: boolean;
}

const match = Symbol('the operation that the request calls');

/**
 * Serves the operations of the contract. Of several templates that match, the most concrete one that has the
 * method is taken. A path that matches no template gets a 404, a method that the path does not have gets a
 * 405 with `Allow`, and OPTIONS is answered with `Allow`.
 */
export function createRouter(deps: RouterDeps): Router {
  const routes = routesOf(deps);
  const index = indexOf(routes, deps.metrics);
  if (deps.config.metricsZeros) foresee(routes, deps);
  const unmatched = deps.metrics.endpoint(UNMATCHED);
  const find = (ctx: Context): Match => {
    const segments: string[] = [];
    const { method = '' } = ctx.req;
    // A middleware that looks at the path sees the one that is served.
    const url = (ctx.req.url = normalTarget(ctx.req.url ?? ''));
    const others: Resource[] = [];
    const resource = index.find(pathOf(url), segments, (candidate) => {
      if (candidate.methods.has(method)) return true;
      others.push(candidate);
      return false;
    });
    const called = resource?.methods.get(method);
    const endpoint = (called ?? others[0])?.endpoint;
    measurementOf(ctx).endpoint = endpoint ?? unmatched;
    if (endpoint) routeTeller()?.(endpoint.template);
    if (called?.timeoutMs !== undefined && hasBody(ctx)) arriveWithin(called.timeoutMs, ctx.req, ctx.res);
    return (ctx[match] = { url, method, called, others, segments, essential: called?.essential === true });
  };
  return {
    find,
    route: (ctx) => {
      const before: Match = ctx[match]; // `find` made it
      // A middleware may have changed the request since, for example to remove a prefix.
      const isSame = before.url === ctx.req.url && before.method === ctx.req.method;
      const { called, others, segments } = isSame ? before : find(ctx);
      if (!called) return others.length === 0 ? withoutPath(ctx) : withoutMethod(ctx, others);
      ctx[encodedParams] = parametersOf(called, segments);
      ctx['params'] = parametersOf(called, segments.map(decodedIfValid)); // as @koa/router has them
      return called.serve(ctx);
    },
  };
}

/** Tells the metrics the series of all routes, so that they are at 0 before the first request. */
function foresee(routes: readonly Route[], { config, contract, metrics }: RouterDeps): void {
  for (const { operation, described } of routes) {
    const { id, method, path } = operation;
    const series = described ? foreseenSeries(described, contract) : undescribedSeries(method, path);
    const wantsToken = config.metricsToken !== undefined && WITH_TOKEN.includes(id) && !contract.handlers[id];
    const statuses = new Set([...series.statuses, ...(wantsToken ? [401] : [])]);
    metrics.foreseen.push({ ...series, statuses: [...statuses] });
  }
}

/** The service's operations that want METRICS_TOKEN where it is set. */
const WITH_TOKEN: readonly string[] = ['metrics', 'status', 'statusAsset'] satisfies ServiceOperation[];

/** Writes `/hello/{name}` for @koa/router: names in quotes, and its special characters escaped. */
function routePath(template: string): string {
  return template.replaceAll(/\{([^{}]+)\}|[()[\]+?!:*\\]/g, (found, name?: string) =>
    name === undefined ? `\\${found}` : `:${JSON.stringify(name)}`,
  );
}

/** Makes an index of the routes: @koa/router would try one after the other for every request. */
function indexOf(routes: readonly Route[], metrics: RequestMetrics): PathIndex<Resource> {
  const index = new PathIndex<Resource>();
  const resources = new Map<string, Resource>();
  const router = new KoaRouter({ sensitive: true, strict: true });
  for (const route of routes)
    for (const template of route.templates) {
      const method = methodOf(route, template, metrics);
      const layer = router.register(routePath(template), [route.operation.method], method.serve);
      const shape = shapeOf(template);
      const resource = resources.get(shape) ?? { endpoint: method.endpoint, methods: new Map() };
      resources.set(shape, resource);
      const [described, head] = layer.methods.toReversed();
      if (described !== undefined) resource.methods.set(described, method);
      // @koa/router adds HEAD to each GET. A HEAD that the description has itself goes before.
      if (head !== undefined && !resource.methods.has(head)) resource.methods.set(head, method);
      index.set(template, resource);
    }
  return index;
}

function methodOf({ operation, described, serve }: Route, template: string, metrics: RequestMetrics): Method {
  return {
    // Requests are counted under the path of the description, without the base path of a server.
    endpoint: metrics.endpoint(operation.path),
    parameters: namesIn(template),
    serve: (ctx) => {
      ctx['operation'] = operation;
      return serve(ctx);
    },
    timeoutMs: described?.requestTimeoutMs,
    essential: ESSENTIAL.has(serviceOperationAt(operation) ?? ''),
  };
}

function parametersOf({ parameters }: Method, segments: readonly string[]): Readonly<Record<string, string>> {
  if (parameters.length === 0) return NO_PARAMETERS;
  const values: Record<string, string> = {};
  for (const [index, name] of parameters.entries()) setOwn(values, name, segments[index] ?? '');
  return values;
}

function withoutPath(ctx: Context): undefined {
  // OPTIONS with "*" asks about the server as a whole (RFC 9110 section 9.3.7).
  if (ctx.req.method !== 'OPTIONS' || ctx.req.url !== '*')
    throw new Problem(404, 'There is nothing at this path.');
  ctx.status = 204;
  return undefined;
}

function withoutMethod(ctx: Context, resources: readonly Resource[]): undefined {
  const methods = resources.flatMap((resource) => [...resource.methods.keys()]);
  const allow = [...new Set([...methods, 'OPTIONS'])].join(', ');
  if (ctx.req.method !== 'OPTIONS') {
    throw new Problem(405, `This path has ${allow}.`, { headers: { Allow: allow } });
  }
  ctx.res.setHeader('Allow', allow);
  ctx.status = 204;
  return undefined;
}
