import cluster from 'node:cluster';
import type { RequestListener } from 'node:http';
import type { Context, Middleware } from 'koa';
import { DEFAULT_BUCKETS } from '../config.js';
import { BUCKETS, type Kind, PREFIX, TOKEN } from '../config-values.js';
import { EndpointLabels, type Label } from '../foreign/endpoint-labels.js';
import { noteMounts } from '../foreign/koa-mounts.js';
import { koaRoute } from '../foreign/koa-route.js';
import { measurementOf, measuring } from '../http/measure.js';
import { createMetricsHandler, createMetricsListener } from '../http/own-operations/metrics-route.js';
import { createLog } from '../log.js';
import type { Format } from '../metrics/exposition/gatherer.js';
import type { RequestMetrics } from '../metrics/request-metrics.js';
import { announcedFolder } from './ledger-place.js';
import { PrimaryMetrics } from './primary-metrics.js';
import { WorkerMetrics } from './worker-metrics.js';

export { durableCounter } from '../metrics/durable-counter.js';

export interface MetricsOptions {
  /** Prefix of the names of the request metrics. Default `flask_app_`. */
  readonly prefix?: string | undefined;
  /** Upper bounds of the latency histogram in seconds, ascending, without +Inf. Default prom-client's. */
  readonly buckets?: readonly number[] | undefined;
  /** The bearer token that a scrape must send, to `scrape` as to `listener`. Default: none is required. */
  readonly token?: string | undefined;
}

export interface MeasureOptions<Ctx = Context> {
  /**
   * Returns the endpoint label of a request, when its answer is ready. Default: the path of the
   * @koa/router route that matched.
   */
  readonly endpoint?: (ctx: Ctx) => Label;
  /** The most different endpoints; all others are `overflow`. Default 1000. */
  readonly maxEndpoints?: number;
}

/** The metrics of all workers of a cluster that is the app's own. */
export interface ClusterMetrics {
  /** The counts of this process. */
  readonly requests: RequestMetrics;
  /**
   * Koa middleware that answers a scrape for all workers, in the format that it
   * accepts: for a route of the app.
   */
  readonly scrape: Middleware;
  /**
   * The same as a listener for a server of its own, such as one of the primary: `/metrics` and nothing else.
   */
  readonly listener: RequestListener;
}

/**
 * Makes the metrics of this process. Call it in the primary before it forks, and in each worker, with the
 * same options. A further call shares the counts of the first. The request counts of a worker stay after its
 * end, even if it was killed.
 * @throws TypeError for an option with a bad value, or another prefix or other buckets than in the first call
 */
export function clusterMetrics(options: MetricsOptions = {}): ClusterMetrics {
  const { token, prefix = 'flask_app_', buckets = DEFAULT_BUCKETS } = options;
  assertValid('token', TOKEN, token);
  // Without a prefix the names are those of the metrics.
  assertValid('prefix', PREFIX, prefix || undefined);
  assertValid('buckets', BUCKETS, buckets.join());
  const metrics = metricsOf(prefix, buckets);
  const source = { gather: (format: Format) => metrics.gather(format), token };
  const handle = createMetricsHandler(source);
  return {
    requests: metrics.requests,
    scrape: async (ctx) => void (ctx.body = await handle(undefined, ctx)),
    listener: createMetricsListener({ ...source, log: createLog('error', process.stderr) }),
  };
}

/** The metrics of this process, which has one ledger and one answer for the primary. */
let made: { readonly names: string; readonly metrics: WorkerMetrics | PrimaryMetrics } | undefined;

function metricsOf(prefix: string, buckets: readonly number[]): WorkerMetrics | PrimaryMetrics {
  const names = `prefix "${prefix}" and buckets ${buckets.join()}`;
  const Metrics = cluster.isWorker ? WorkerMetrics : PrimaryMetrics;
  made ??= { names, metrics: new Metrics({ prefix, buckets }) };
  if (made.names !== names)
    throw new TypeError(`clusterMetrics: expected ${made.names} as in the first call, got ${names}`);
  return made.metrics;
}

/** An empty token would let everybody in: it is what a scrape without credentials gives. */
function assertValid(name: string, { parse, expected }: Kind<unknown>, value: string | undefined): void {
  if (value !== undefined && parse(value) === undefined)
    throw new TypeError(`clusterMetrics: ${name}: expected ${expected}`);
}

/**
 * Makes the Koa middleware that measures every request; it must be mounted first. A request is
 * counted when its answer is ended, before the last byte leaves; a streamed one when the stream has
 * ended, which may be just after.
 */
export function measure<Ctx = Context>(
  { requests }: ClusterMetrics,
  options: MeasureOptions<Ctx> = {},
): Middleware {
  const { maxEndpoints: max = 1_000 } = options;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it gets the contexts of its own app
  const endpoint = (options.endpoint ?? koaRoute) as (ctx: Context) => Label;
  const labels = new EndpointLabels({
    metrics: requests,
    max,
    folder: announcedFolder(),
    onOverflow: (label) =>
      process.emitWarning(
        `There are more than ${max} endpoints: "${label}" and all others are counted as overflow`,
      ),
    onError: (err) => process.emitWarning(`The endpoint of a request could not be told: ${String(err)}`),
  });
  const begin = measuring(requests);
  return (ctx, next) => {
    begin(ctx);
    noteMounts(ctx.app.context);
    measurementOf(ctx).endpoint = labels.late(() => endpoint(ctx));
    return next();
  };
}
