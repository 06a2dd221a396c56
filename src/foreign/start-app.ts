import { createApp } from '../http/app.js';
import type { Contract } from '../http/routing/contract.js';
import type { StartTools } from '../http/define-service.js';
import { pathOf } from '../http/parameters/request-target.js';
import type { Foreseen } from '../metrics/foreseen.js';
import { SERVICE_OPERATIONS } from '../http/own-operations/service-operations.js';
import { type Host, type StartedService, served, startWith } from '../http/start-service.js';
import { EndpointLabels } from './endpoint-labels.js';
import { appOf, type AppSource, isKoa } from './foreign-app.js';
import { knownRoutes } from './known-routes.js';
import { type EndpointOf, listenerOf } from './listener.js';

/** What an app that is served may need beside itself. Each is optional. */
export interface ServeOptions<Started> {
  /**
   * What a request is counted under, asked when its answer is ready; it is given Koa's context, or the request where the app is none of
   * Koa's. Default: the path of the @koa/router route, or of the Express route, that matched; else `unmatched`.
   */
  readonly endpoint?: EndpointOf;
  /** Makes what the app needs, such as a pool, in each worker before it is ready. Where it throws, the service does not start. */
  readonly start?: (tools: StartTools) => Started | Promise<Started>;
  /** Named checks of `/readyz`, which fail by throwing, by giving `false`, or by taking longer than 2 s. */
  readonly ready?: Readonly<Record<string, (resources: Started) => unknown>>;
  /** Ends what `start` made, after the last answer and within SHUTDOWN_TIMEOUT_MS. */
  readonly stop?: (resources: Started) => unknown;
}

/** Nothing is described: of the service there are only its own operations. */
const NOTHING: Contract = { operations: [], handlers: {}, text: '', document: {} };

/** Starts an app that has no description, in this process. Throws ServiceError, whose message is for the person who wrote it. */
export function startApp<Started>(
  source: AppSource<Started>,
  options: ServeOptions<Started>,
  host: Host,
): Promise<StartedService> {
  return startWith(options, host, async (made) => {
    const app = await appOf(source, made.provided.resources);
    const service = served(createApp({ ...host, ...made, contract: NOTHING }));
    const listener = listenerOf(app, { log: host.log, endpoint: options.endpoint, labels: labelsOf(host) });
    const routes = isKoa(app) ? knownRoutes(app.middleware) : [];
    if (host.config.metricsZeros) host.metrics.foreseen.push(...routes);
    const own = ownPaths(routes, host);
    return {
      app: service.app,
      listener: (req, res) =>
        own.has(pathOf(req.url ?? '')) ? service.listener(req, res) : listener(req, res),
    };
  });
}

function labelsOf({ config, metrics, log }: Host): EndpointLabels {
  const max = config.metricsMaxEndpoints;
  return new EndpointLabels({
    metrics,
    max,
    onOverflow: (endpoint) =>
      log.warn(
        { endpoint, max },
        'Too many endpoints (METRICS_MAX_ENDPOINTS): from here on new ones are "overflow"',
      ),
    onError: (err) => log.error({ err }, 'The endpoint of a request can not be told: it is "unmatched"'),
  });
}

/** The paths that the service answers itself. One that the app has a route for is the app's. */
function ownPaths(routes: readonly Foreseen[], { config }: Host): Set<string> {
  const { metrics, livez, readyz } = SERVICE_OPERATIONS;
  const taken = new Set(routes.map(({ endpoint }) => endpoint));
  const paths = [livez, readyz, ...(config.metricsPort === undefined ? [metrics] : [])];
  return new Set(paths.filter((path) => !taken.has(path)));
}
