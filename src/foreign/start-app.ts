import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { accessLog } from '../http/access-log.js';
import { createApp } from '../http/app.js';
import { measurementOf, UNMATCHED } from '../http/measure.js';
import { entrance } from '../http/overload.js';
import { sendProblem } from '../http/problem.js';
import type { Contract } from '../http/routing/contract.js';
import { checkFields, ServiceError, type StartTools } from '../http/define-service.js';
import { pathOf } from '../http/parameters/request-target.js';
import type { Foreseen } from '../metrics/foreseen.js';
import { STATUS_PATHS } from '../http/own-operations/status-page.js';
import { SERVICE_OPERATIONS } from '../openapi/operations/service-operations.js';
import { type Host, type StartedService, served, startWith } from '../http/start-service.js';
import { type AppListening, listeningProblem } from './app-listening.js';
import { EndpointLabels } from './endpoint-labels.js';
import { appOf, type AppSource, isKoa, isKoaCallback } from './foreign-app.js';
import { knownRoutes } from './known-routes.js';
import { type EndpointOf, listenerOf, type ServedRequest } from './listener.js';

/** The options of an app. Each is optional. */
export interface ServeOptions<Started, Request = ServedRequest> {
  /**
   * Returns the endpoint label of a request, from Koa's context, or from the request if the app is no Koa
   * app. It is called when the answer is ready. Default: the path of the @koa/router route, or of the Express
   * route, that matched; `unmatched` if none did.
   */
  readonly endpoint?: EndpointOf<Request>;
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

const OPTIONS: ReadonlyMap<string, string> = new Map(
  Object.entries({ endpoint: 'function', start: 'function', ready: 'object', stop: 'function' }),
);

/** A contract without operations: the service adds only its own. */
const NOTHING: Contract = { operations: [], handlers: {}, text: '', document: {} };

/** The health checks: they are served under overload too, whoever answers them. */
const PROBES: readonly string[] = [SERVICE_OPERATIONS.livez, SERVICE_OPERATIONS.readyz];

/**
 * Starts an app without a description in this process. Throws ServiceError, whose message
 * is for the author of the app.
 * @param listening what the code of the app listens on itself
 */
export function startApp<Started>(
  source: AppSource<Started>,
  options: ServeOptions<Started, never>,
  host: Host,
  listening: AppListening = new Map(),
): Promise<StartedService> {
  checkFields('The second argument of serve', options, OPTIONS);
  return startWith(options, host, async (made) => {
    const app = await appOf(source, made.provided.resources);
    refuseListening(listening, host);
    if (isKoaCallback(app) && !options.endpoint)
      host.log.warn('Requests are "unmatched": give the Koa app itself in place of its callback()');
    // The service's own operations are served under overload, too: they need no limit.
    const config = { ...host.config, maxEventLoopDelayMs: undefined };
    const service = served(createApp({ ...host, ...made, config, contract: NOTHING }));
    const routes = isKoa(app) ? knownRoutes(app.middleware) : [];
    // Requests have other labels than routes where the app tells them.
    const labels = labelsOf(host, options.endpoint ? [] : routes);
    const listener = listenerOf(app, {
      log: host.log,
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it gets the requests of its own app
      endpoint: options.endpoint as EndpointOf | undefined,
      labels,
      provided: made.provided,
    });
    if (host.config.metricsZeros)
      host.metrics.foreseen.push(...routes.filter(({ endpoint }) => labels.has(endpoint)));
    const own = ownPaths(routes, host);
    const admitted = admitting(listener, host);
    return {
      app: service.app,
      listener: (req, res) => {
        const path = pathOf(req.url ?? '');
        // A process that drains is not ready, whatever the app says.
        const isOwn = own.has(path) || (path === SERVICE_OPERATIONS.readyz && !host.accepting());
        if (isOwn) service.listener(req, res);
        else admitted(req, res, PROBES.includes(path));
      },
    };
  });
}

/**
 * Throws ServiceError if the app has taken the port of the service, and logs what other ports it listens on.
 */
function refuseListening(listening: AppListening, { config, log }: Host): void {
  const problem = listeningProblem(listening, config);
  if (problem !== undefined) throw new ServiceError(problem);
  for (const [port, place] of listening)
    log.warn({ port, place }, 'The app listens on a port itself: what it answers there is not counted');
}

/**
 * Makes a listener whose requests are logged, and delayed or refused under overload unless they are
 * essential.
 */
function admitting(
  listener: RequestListener,
  { config, log, metrics }: Host,
): (req: IncomingMessage, res: ServerResponse, essential: boolean) => void {
  const unmatched = metrics.endpoint(UNMATCHED);
  const observer = accessLog(config.accessLog, log, []);
  const enter = entrance({ config, metrics });
  return (req, res, essential) => {
    const measurement = measurementOf({ res });
    measurement.observer = observer;
    const wait = essential ? undefined : enter?.();
    if (!wait) return listener(req, res);
    measurement.endpoint = unmatched;
    void wait.then((refusal) => (refusal ? sendProblem(res, refusal) : listener(req, res)));
  };
}

function labelsOf({ config, metrics, folder, log }: Host, routes: readonly Foreseen[]): EndpointLabels {
  const max = config.metricsMaxEndpoints;
  return new EndpointLabels({
    metrics,
    max,
    known: routes.map(({ endpoint }) => endpoint),
    folder,
    onOverflow: (endpoint) =>
      log.warn(
        { endpoint, max },
        'Too many endpoints (METRICS_MAX_ENDPOINTS): from here on new ones are "overflow"',
      ),
    onError: (err) => log.error({ err }, 'The endpoint of a request can not be told: it is "unmatched"'),
  });
}

/**
 * Returns the paths that the service answers itself. A path for which the app has a route is the app's, and
 * with `/status` the whole page is.
 */
function ownPaths(
  routes: readonly Foreseen[],
  { config: { metricsPort, statusPage }, workers }: Host,
): ReadonlySet<string> {
  const { metrics, status } = SERVICE_OPERATIONS;
  const taken = new Set(routes.map(({ endpoint }) => endpoint));
  const paths = [...PROBES];
  if (metricsPort === undefined) {
    paths.push(metrics);
    if (statusPage && workers && !taken.has(status)) paths.push(...STATUS_PATHS);
  }
  return new Set(paths.filter((path) => !taken.has(path)));
}
