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

/** The options of an app. Each is optional. */
export interface ServeOptions<Started> {
  /**
   * Returns the endpoint label of a request, from Koa's context, or from the request if the app is no Koa
   * app. It is called when the answer is ready. Default: the path of the @koa/router route, or of the Express
   * route, that matched; `unmatched` if none did.
   */
  readonly endpoint?: EndpointOf;
  /**
   * Makes the app's resources, such as a pool, in each worker before it is ready. If it
   * throws, the service does not start.
   */
  readonly start?: (tools: StartTools) => Started | Promise<Started>;
  /** Named checks of `/readyz`, which fail by throwing, by giving `false`, or by taking longer than 2 s. */
  readonly ready?: Readonly<Record<string, (resources: Started) => unknown>>;
  /** Ends the resources that `start` made, after the last answer and within SHUTDOWN_TIMEOUT_MS. */
  readonly stop?: (resources: Started) => unknown;
}

/** A contract without operations: the service adds only its own. */
const NOTHING: Contract = { operations: [], handlers: {}, text: '', document: {} };

/**
 * Starts an app without a description in this process. Throws ServiceError, whose message
 * is for the author of the app.
 */
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

/** Returns the paths that the service answers itself. A path for which the app has a route is the app's. */
function ownPaths(routes: readonly Foreseen[], { config }: Host): Set<string> {
  const { metrics, livez, readyz } = SERVICE_OPERATIONS;
  const taken = new Set(routes.map(({ endpoint }) => endpoint));
  const paths = [livez, readyz, ...(config.metricsPort === undefined ? [metrics] : [])];
  return new Set(paths.filter((path) => !taken.has(path)));
}
