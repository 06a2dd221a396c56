import type { Middleware } from 'koa';
import compose from 'koa-compose';
import type { Config } from '../../config.js';
import type { Operation } from '../../openapi/operations/operation.js';
import { type Alternatives, securityOf } from '../../openapi/operations/security.js';
import type { Contract } from './contract.js';
import type { AnyHandler, CalledOperation } from '../handler.js';
import { replier } from '../answer/reply.js';
import { gatekeeper, type SecurityChecks } from '../security.js';
import { type Serve, type ServeDeps, serveOperation } from './serve.js';
import { type OwnHandler, type ServiceDeps, serviceHandlers } from '../own-operations/service-operations.js';
import { SERVICE_OPERATIONS, serviceOperationAt } from '../../openapi/operations/service-operations.js';
import { shapeOf } from '../../openapi/operations/paths.js';
import { METRICS_SCHEME, metricsTokenCheck } from '../own-operations/metrics-token.js';

export interface RouteDeps extends ServiceDeps, ServeDeps {
  readonly config: ServiceDeps['config'] &
    ServeDeps['config'] &
    Pick<Config, 'metricsToken' | 'metricsZeros'>;
  readonly contract: Contract;
  readonly security?: SecurityChecks;
  readonly afterRouting?: readonly Middleware[];
}

/** An operation with its path templates, and the function that answers its requests. */
export interface Route {
  readonly operation: CalledOperation;
  /** The templates under which the operation is served. Its requests are counted under `operation.path`. */
  readonly templates: readonly string[];
  readonly serve: Serve;
  /**
   * The operation of the description; `undefined` where it is one of the service that is not listed there.
   */
  readonly described?: Operation;
}

/**
 * Returns the routes of the contract and of the service's own operations, which are served even if the
 * description does not list them. An own operation that is switched off by configuration has none. Throws
 * ContractError for a scheme without a check.
 */
export function routesOf(deps: RouteDeps): Route[] {
  const own = new Map(Object.entries(serviceHandlers(deps)));
  const { operations, handlers } = deps.contract;
  const described = operations.flatMap((operation) => {
    const handler = handlers[operation.id];
    const ownHandler = own.get(operation.id);
    if (handler) return routeOf(operation, serveUsers(operation, handler, deps), deps);
    return ownHandler ? routeOf(operation, serveOwn(operation.id, ownHandler), withoutQuotas(deps)) : [];
  });
  return [...described, ...unlisted(own, deps)];
}

/**
 * Makes the part of a request's path behind the routing: security, then the service's
 * middleware, then body and handler.
 */
function routeOf(operation: Operation, serve: Serve, deps: RouteDeps): Route {
  const { id, method, path, routes } = operation;
  return {
    operation: Object.freeze({ id, method, path }),
    templates: deps.contract.handlers[id] ? routes : templatesOf(id, routes),
    serve: guarded(alternativesOf(operation, deps), serve, deps),
    described: operation,
  };
}

function guarded(alternatives: Alternatives, serve: Serve, deps: RouteDeps): Serve {
  const enter = gatekeeper(alternatives, checksOf(deps));
  const { afterRouting = [] } = deps;
  const run = afterRouting.length > 0 ? compose([...afterRouting]) : undefined;
  const next: Serve = run ? (ctx) => run(ctx, async () => serve(ctx)) : serve;
  if (!enter) return next;
  return async (ctx) => {
    ctx['principal'] = await enter(ctx);
    await next(ctx);
  };
}

function checksOf({ security = {}, config }: RouteDeps): SecurityChecks {
  return { [METRICS_SCHEME]: metricsTokenCheck(config.metricsToken), ...security };
}

/**
 * Returns the security of an operation. Throws ContractError for a scheme without a check: the
 * operation would be open to all.
 */
function alternativesOf({ id, place }: Operation, deps: RouteDeps): Alternatives {
  if (id === 'metrics' && !deps.contract.handlers[id] && deps.config.metricsToken !== undefined)
    return SCRAPERS;
  const alternatives = securityOf(place);
  const checks = checksOf(deps);
  for (const { scheme } of alternatives.flat()) {
    if (!Object.hasOwn(checks, scheme.name) || typeof checks[scheme.name] !== 'function')
      place.fail(
        `operation "${id}" requires the security scheme "${scheme.name}", for which "security" in src/service.ts has no function`,
      );
  }
  return alternatives;
}

/**
 * The security of `/metrics` where METRICS_TOKEN is set: the token is required even if the
 * description declares no security.
 */
const SCRAPERS: Alternatives = [
  [{ scheme: { name: METRICS_SCHEME, in: 'authorization', field: 'bearer' }, scopes: [] }],
];

/**
 * Returns the routes of own operations that the description leaves out, unless another operation is served at
 * their path.
 */
function unlisted(own: ReadonlyMap<string, OwnHandler>, deps: RouteDeps): Route[] {
  const { operations, handlers } = deps.contract;
  return Object.entries(SERVICE_OPERATIONS).flatMap(([id, path]) => {
    const handler = own.get(id);
    const isThere = ({ method, routes }: Operation) =>
      method === 'GET' && routes.some((route) => shapeOf(route) === shapeOf(path));
    // A listed operation is served under the base path of its server only: its security would not hold
    // elsewhere.
    const isListed = (operation: Operation) => operation.id === id && !handlers[id];
    const isTaken = operations.some((operation) => isListed(operation) || isThere(operation));
    if (!handler || isTaken) return [];
    const operation: CalledOperation = Object.freeze({ id, method: 'GET', path });
    const isSecret = id === 'metrics' && deps.config.metricsToken !== undefined;
    const serve = guarded(isSecret ? SCRAPERS : [], serveOwn(id, handler), withoutQuotas(deps));
    return { operation, templates: templatesOf(id, [path]), serve };
  });
}

/** Adds the templates of `/docs/` with a slash at the end: a browser that asks for it would get a 404. */
function templatesOf(id: string, routes: readonly string[]): readonly string[] {
  return id === 'docs' ? routes.flatMap((route) => [route, `${route}/`]) : routes;
}

/** Leaves out `afterRouting` for own operations: a quota would refuse health checks and scrapes. */
function withoutQuotas(deps: RouteDeps): RouteDeps {
  return { ...deps, afterRouting: [] };
}

/** Serves an own operation, without validating requests or answers. */
function serveOwn(id: string, handler: OwnHandler): Serve {
  const reply = replier({ id, method: 'GET', success: { status: 200, type: 'application/json' } });
  return async (ctx) => {
    ctx.status = 200;
    reply(ctx, await handler({ path: ctx['params'] }, ctx)); // set by the router
  };
}

/**
 * Calls the user's handler of `/readyz` only while this process accepts work: a
 * draining one answers 503 itself.
 */
function serveUsers(operation: Operation, handler: AnyHandler, deps: RouteDeps): Serve {
  const serve = serveOperation(operation, handler, deps);
  if (serviceOperationAt(operation) !== 'readyz') return serve;
  return (ctx) => {
    if (deps.accepting()) return serve(ctx);
    ctx.set('Cache-Control', 'no-store');
    ctx.status = 503;
    ctx.body = { status: 'draining' };
    return undefined;
  };
}
