import type { ServerResponse } from 'node:http';
import type { Context } from 'koa';
import type { RequestMetrics } from '../metrics/request-metrics.js';
import { CLIENT_LEFT, type MeasuredResponse } from '../server/response/measured-response.js';
import { isAcceptableEnd } from '../server/response/acceptable.js';
import { Measurement } from '../server/response/measurement.js';

/** The endpoint label of requests that no path template matched. */
export const UNMATCHED = 'unmatched';

/** Returns the measurement of a request. */
export function measurementOf({ res }: { readonly res: ServerResponse }): Measurement {
  if (!isMeasured(res)) throw new Error('The response is not measured');
  return res.measurement;
}

/**
 * Makes a function that measures a request, as `unmatched` until its path template is known. A response
 * of our own server counts itself. One of another server (serverless, `app.callback()` in a test) is
 * observed until it has ended.
 */
export function measuring(metrics: RequestMetrics): (ctx: Pick<Context, 'req' | 'res'>) => void {
  const unmatched = metrics.endpoint(UNMATCHED);
  return (ctx) => {
    const { res } = ctx;
    if (isMeasured(res)) res.measurement.endpoint = unmatched;
    else measureForeign(res, new Measurement(metrics, unmatched, ctx.req, res));
    measurementOf(ctx).joinTrace();
  };
}

/** Tells whether a response is measured. `instanceof` would fail: Express replaces its prototype. */
export function isMeasured(
  res: ServerResponse,
): res is ServerResponse & Pick<MeasuredResponse, 'measurement'> {
  return 'measurement' in res;
}

function measureForeign(res: ServerResponse, account: Measurement): void {
  const end = res.end.bind(res);
  const writeHead = res.writeHead.bind(res);
  let sentStatus: number | undefined;
  res.writeHead = (...args: unknown[]) => {
    Reflect.apply(writeHead, res, args);
    sentStatus = res.statusCode;
    return res;
  };
  res.end = (...args: unknown[]) => {
    account.ended ||= isAcceptableEnd(res, args[0], args[1]);
    if (!res.headersSent && account.ended) account.count(res.statusCode);
    return Reflect.apply(end, res, args);
  };
  res.once('finish', () => account.count(sentStatus ?? res.statusCode));
  res.once('close', () => account.count(CLIENT_LEFT));
  Object.assign(res, { measurement: account });
}
