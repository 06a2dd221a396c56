import type { IncomingHttpHeaders, RequestListener, ServerResponse } from 'node:http';
import type { Context } from 'koa';
import type { Logger } from 'pino';
import type { Format } from '../../metrics/exposition/gatherer.js';
import { PROTOBUF_TYPE } from '../../metrics/exposition/protobuf-renderer.js';
import { CONTENT_TYPE } from '../../metrics/exposition/text-renderer.js';
import { acceptsGzip, type Offer, preferred } from '../answer/accept.js';
import { gzipped } from '../answer/gzip.js';
import { isMeasured } from '../measure.js';
import { metricsTokenCheck } from './metrics-token.js';
import { Problem, sendProblem } from '../problem.js';
import { normalTarget, pathOf } from '../parameters/request-target.js';
import { createStatusPage, protectStatusPage, type StatusFile } from './status-page.js';

interface ScrapeOptions {
  /** Makes the whole exposition. */
  readonly gather: (format: Format) => Promise<Buffer>;
  /** The bearer token that a scrape must send (RFC 6750 section 2.1); `undefined` where none is required. */
  readonly token: string | undefined;
}

/** Body and headers of the answer to a scrape. */
interface Scraped {
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** The formats on offer. Text is first: a scraper without a preference gets it. */
const OFFERS: readonly [Offer<Format>, Offer<Format>] = [
  { value: 'text', type: 'text/plain', parameters: { version: '0.0.4' } },
  {
    value: 'protobuf',
    type: 'application/vnd.google.protobuf',
    parameters: { proto: 'io.prometheus.client.MetricFamily', encoding: 'delimited' },
  },
];

const CONTENT_TYPES: Readonly<Record<Format, string>> = { text: CONTENT_TYPE, protobuf: PROTOBUF_TYPE };

/** Makes the handler of a scrape as an operation or in a Koa app, which need not be measured. */
export function createMetricsHandler(options: ScrapeOptions) {
  const scrape = createScrape(options);
  return async (_request: unknown, ctx: Context): Promise<Buffer> => {
    // A scrape is no work in progress: without this an idle service would always report 1.
    if (isMeasured(ctx.res)) ctx.res.measurement.leaveInProgress();
    const { bytes, headers } = await scrape(ctx.req.headers);
    const { Vary, ...others } = headers;
    ctx.set(others);
    ctx.vary(Vary ?? '');
    return bytes;
  };
}

interface ListenerOptions extends ScrapeOptions {
  readonly log: Logger;
  /** Gives the workers, or instances, as JSON. Without it there is no status page. */
  readonly workers?: (() => Promise<Buffer>) | undefined;
  /** Tells whether the status page is switched on at the moment. Default: it is. */
  readonly hasStatusPage?: () => boolean;
}

/** Gives no objectives: a primary does not read the description. */
const objectives = (): [] => [];

/** Makes the listener of a port that has only `/metrics` and the status page (`METRICS_PORT`). */
export function createMetricsListener(listenerOptions: ListenerOptions): RequestListener {
  const { log, workers, hasStatusPage = () => true, ...options } = listenerOptions;
  const scrape = createScrape(options);
  const statusPage = workers && createStatusPage({ ...options, workers, objectives });
  return (req, res) => {
    const answer = async () => {
      const path = pathOf(normalTarget(req.url ?? ''));
      const file = path === '/status' ? 'status.html' : /^\/status\/([^/]+)$/.exec(path)?.[1];
      const page = hasStatusPage() ? statusPage : undefined;
      if (page && file !== undefined && req.method === 'GET')
        return sendStatusFile(res, await page(file, req));
      if (path !== '/metrics')
        throw new Problem(404, `There is nothing here but /metrics${page ? ' and /status' : ''}.`);
      if (req.method !== 'GET' && req.method !== 'HEAD') {
        throw new Problem(405, '/metrics has GET and HEAD.', { headers: { Allow: 'GET, HEAD' } });
      }
      const { bytes, headers } = await scrape(req.headers);
      res.writeHead(200, { ...headers, 'Content-Length': bytes.length });
      res.end(bytes);
    };
    answer().catch((error: unknown) => {
      const problem =
        error instanceof Problem ? error : new Problem(500, 'The scrape failed. The log has more.');
      if (problem.status >= 500) log.error({ err: error }, 'Scrape failed');
      sendProblem(res, problem);
    });
  };
}

function sendStatusFile(res: ServerResponse, { content, headers }: StatusFile): void {
  protectStatusPage(res.req, res, () => undefined);
  res.writeHead(200, { ...headers, 'Content-Length': content.length });
  res.end(content);
}

function createScrape({ gather, token }: ScrapeOptions): (headers: IncomingHttpHeaders) => Promise<Scraped> {
  const check = token === undefined ? undefined : metricsTokenCheck(token);
  return async ({ authorization, accept, 'accept-encoding': acceptEncoding }) => {
    if (check && !check(bearer(authorization))) {
      throw new Problem(401, 'A scrape needs the bearer token that is set for it.', {
        headers: { 'WWW-Authenticate': 'Bearer realm="metrics"' },
      });
    }
    const format = preferred(accept, OFFERS);
    const headers = {
      'Content-Type': CONTENT_TYPES[format],
      'Cache-Control': 'no-store',
      Vary: 'Accept, Accept-Encoding',
    };
    const bytes = await gather(format).catch((cause: unknown) => {
      throw new Problem(503, 'The metrics could not be gathered.', { cause });
    });
    const compressed = acceptsGzip(acceptEncoding) && (await gzipped(bytes));
    return compressed
      ? { bytes: compressed, headers: { ...headers, 'Content-Encoding': 'gzip' } }
      : { bytes, headers };
  };
}

function bearer(authorization = ''): string {
  return /^bearer +(.*)$/i.exec(authorization)?.[1] ?? '';
}
