import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestListener } from 'node:http';
import type { Context } from 'koa';
import type { Logger } from 'pino';
import { CONTENT_TYPE } from '../metrics/exposition/text-renderer.js';
import { excludeFromInProgress } from './measure.js';
import { Problem, sendProblem } from './problem.js';
import { pathOf } from './request-target.js';

interface ScrapeOptions {
  /** Makes the whole exposition. */
  readonly gather: () => Promise<Buffer>;
  /** Where it is set, a scrape must bring it as a bearer token (RFC 6750 section 2.1). */
  readonly token: string | undefined;
}

/** The handler of `/metrics` on the service's own port. */
export function createMetricsHandler(options: ScrapeOptions) {
  const scrape = createScrape(options);
  return (_request: unknown, ctx: Context): Promise<Buffer> => {
    excludeFromInProgress(ctx.res);
    ctx.set('Content-Type', CONTENT_TYPE);
    ctx.set('Cache-Control', 'no-store');
    return scrape(ctx.req.headers.authorization);
  };
}

/** A server's listener that has nothing but `/metrics`, for a port of its own (`METRICS_PORT`). */
export function createMetricsListener({
  log,
  ...options
}: ScrapeOptions & { readonly log: Logger }): RequestListener {
  const scrape = createScrape(options);
  return (req, res) => {
    const answer = async () => {
      if (pathOf(req.url ?? '') !== '/metrics') throw new Problem(404, 'There is nothing here but /metrics.');
      if (req.method !== 'GET' && req.method !== 'HEAD') {
        throw new Problem(405, '/metrics has GET and HEAD.', { headers: { Allow: 'GET, HEAD' } });
      }
      const exposition = await scrape(req.headers.authorization);
      res.writeHead(200, {
        'Content-Type': CONTENT_TYPE,
        'Content-Length': exposition.length,
        'Cache-Control': 'no-store',
      });
      res.end(exposition);
    };
    answer().catch((error: unknown) => {
      const problem =
        error instanceof Problem ? error : new Problem(500, 'The scrape failed. The log has more.');
      if (problem.status >= 500) log.error({ err: error }, 'Scrape failed');
      sendProblem(res, problem);
    });
  };
}

function createScrape({
  gather,
  token,
}: ScrapeOptions): (authorization: string | undefined) => Promise<Buffer> {
  const expected = token === undefined ? undefined : digest(token);
  return async (authorization) => {
    if (expected && !timingSafeEqual(expected, digest(bearer(authorization)))) {
      throw new Problem(401, 'A scrape needs the bearer token of METRICS_TOKEN.', {
        headers: { 'WWW-Authenticate': 'Bearer realm="metrics"' },
      });
    }
    try {
      return await gather();
    } catch (cause) {
      throw new Problem(503, 'The metrics could not be gathered.', { cause });
    }
  };
}

function bearer(authorization = ''): string {
  return /^bearer +(.*)$/i.exec(authorization)?.[1] ?? '';
}

/** Digests have one length, whatever they are of: comparing them takes the same time for every guess. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
