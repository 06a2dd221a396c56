import cluster from 'node:cluster';
import type { RequestListener } from 'node:http';
import type { Context, Middleware } from 'koa';
import { EndpointLabels } from '../foreign/endpoint-labels.js';
import { koaRoute } from '../foreign/matched-route.js';
import { measurementOf, measuring } from '../http/measure.js';
import { createMetricsHandler, createMetricsListener } from '../http/own-operations/metrics-route.js';
import { createLog } from '../log.js';
import type { Format } from '../metrics/exposition/gatherer.js';
import type { RequestMetrics } from '../metrics/request-metrics.js';
import { PrimaryMetrics } from './primary-metrics.js';
import { WorkerMetrics } from './worker-metrics.js';

export interface MetricsOptions {
  /** Start of the names of the request metrics. Default `flask_app_`. */
  readonly prefix?: string;
  /** Upper bounds of the latency histogram in seconds, ascending, without +Inf. Default prom-client's. */
  readonly buckets?: readonly number[];
  /** Where it is set, a scrape must bring it as a bearer token. */
  readonly token?: string;
}

export interface MeasureOptions {
  /** What a request is counted under, asked when its answer is ready. Default: the path of the @koa/router route that matched. */
  readonly endpoint?: (ctx: Context) => string | undefined;
  /** How many different endpoints there may be; all others are `overflow`. Default 1000. */
  readonly maxEndpoints?: number;
}

/** The metrics of all workers of a cluster that is the app's own. */
export interface ClusterMetrics {
  /** What this process counts. */
  readonly requests: RequestMetrics;
  /** Koa middleware that answers a scrape for all workers, in the format that it accepts: for a route of the app. */
  readonly scrape: Middleware;
  /** The same for a server of its own, such as one of the primary: `/metrics` and nothing else. */
  readonly listener: RequestListener;
}

const DEFAULTS = {
  token: undefined,
  prefix: 'flask_app_',
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
};

/**
 * Makes the metrics of this process: in the primary before it forks, and in each worker, with the same options. Request counts of
 * a worker that is killed stay, as do those of its ordinary end.
 */
export function clusterMetrics(options: MetricsOptions = {}): ClusterMetrics {
  const complete = { ...DEFAULTS, ...options };
  const Metrics = cluster.isWorker ? WorkerMetrics : PrimaryMetrics;
  const metrics = new Metrics(complete);
  const source = { gather: (format: Format) => metrics.gather(format), token: complete.token };
  const handle = createMetricsHandler(source);
  return {
    requests: metrics.requests,
    scrape: async (ctx) => void (ctx.body = await handle(undefined, ctx)),
    listener: createMetricsListener({ ...source, log: createLog('error', process.stderr) }),
  };
}

/**
 * Koa middleware that measures every request; to be mounted first. A request is counted when its answer is ended, before the last byte
 * leaves; a streamed one when the stream has ended, which may be just after.
 */
export function measure({ requests }: ClusterMetrics, options: MeasureOptions = {}): Middleware {
  const { endpoint = koaRoute, maxEndpoints: max = 1_000 } = options;
  const labels = new EndpointLabels({
    metrics: requests,
    max,
    onOverflow: (label) =>
      process.emitWarning(
        `There are more than ${max} endpoints: "${label}" and all others are counted as overflow`,
      ),
    onError: (err) => process.emitWarning(`The endpoint of a request could not be told: ${String(err)}`),
  });
  const begin = measuring(requests);
  return (ctx, next) => {
    begin(ctx);
    measurementOf(ctx).endpoint = labels.late(() => endpoint(ctx));
    return next();
  };
}
