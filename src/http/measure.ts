import type { ServerResponse } from 'node:http';
import type { Middleware } from 'koa';
import { CLIENT_LEFT, MeasuredResponse } from '../server/measured-response.js';
import type { Endpoint, RequestMetrics } from '../metrics/request-metrics.js';

/** The endpoint label of what no path template matched. */
export const UNMATCHED = 'unmatched';

/** What the middleware knows of any response, be it of this class or of a server that is not ours. */
type Measured = ServerResponse & Pick<MeasuredResponse, 'endpoint' | 'leaveInProgress'>;

/** Counts the request under this endpoint. For every path that matches a template, whatever the answer. */
export function setEndpoint(res: ServerResponse, endpoint: Endpoint): void {
  // `measure` was here first: it made the response a measured one.
  (res as Measured).endpoint = endpoint;
}

/** A scrape is not work in progress: without this an idle service would always report 1. */
export function excludeFromInProgress(res: ServerResponse): void {
  (res as Measured).leaveInProgress();
}

/**
 * The metrics middleware, to be mounted first. It adds no promise of its own: the response counts itself. Where the
 * server is not ours (serverless, `app.callback()` in a test) it teaches the response at hand to count itself.
 */
export function measure(metrics: RequestMetrics): Middleware {
  const unmatched = metrics.endpoint(UNMATCHED);
  return (ctx, next) => {
    const { res } = ctx;
    if (!(res instanceof MeasuredResponse)) observeForeign(res, metrics, unmatched);
    setEndpoint(res, unmatched);
    return next();
  };
}

function observeForeign(res: ServerResponse, metrics: RequestMetrics, endpoint: Endpoint): void {
  const arrived = performance.now();
  let counted = false;
  let inProgress = true;
  metrics.inProgress += 1;
  const leaveInProgress = () => {
    if (inProgress) metrics.inProgress -= 1;
    inProgress = false;
  };
  const measured = Object.assign(res, { endpoint, leaveInProgress });
  const count = (status: number) => {
    if (counted) return;
    counted = true;
    leaveInProgress();
    measured.endpoint.observe(res.req.method ?? 'OTHER', status, (performance.now() - arrived) / 1000);
  };
  const end = res.end.bind(res);
  res.end = (...args: unknown[]) => {
    if (!res.headersSent) count(res.statusCode);
    return Reflect.apply(end, res, args);
  };
  res.once('finish', () => count(res.statusCode));
  res.once('close', () => count(CLIENT_LEFT));
}
