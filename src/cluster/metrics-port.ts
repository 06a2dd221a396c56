import type { Config } from '../config.js';
import { createMetricsListener } from '../http/own-operations/metrics-route.js';
import type { Logger } from '../log.js';
import { listenProblem } from '../server/boot-problem.js';
import { MetricsServer } from '../server/metrics-server.js';
import { messageOf } from '../thrown.js';
import type { Wanted } from './messages.js';

/** The primary's server on METRICS_PORT. */
export interface MetricsPort {
  readonly server: MetricsServer;
  readonly port: number;
}

/**
 * Serves `/metrics` and the status page on METRICS_PORT; undefined if it is not set. Rejects with a message
 * for the person who starts the service.
 * @param gather makes a document about the whole service
 * @param hasStatusPage tells whether STATUS_PAGE is on, which a reload can change
 */
export async function serveMetrics(
  config: Config,
  gather: (wanted: Wanted) => Promise<Buffer>,
  log: Logger,
  hasStatusPage: () => boolean,
): Promise<MetricsPort | undefined> {
  const { metricsPort, metricsHost, metricsToken: token } = config;
  if (metricsPort === undefined) return undefined;
  const workers = () => gather('workers');
  const server = new MetricsServer(createMetricsListener({ gather, token, log, workers, hasStatusPage }));
  try {
    return { server, port: await server.listen(metricsPort, metricsHost) };
  } catch (err) {
    throw new Error(listenProblem(err, 'METRICS_PORT', metricsPort, metricsHost) ?? messageOf(err), {
      cause: err,
    });
  }
}
