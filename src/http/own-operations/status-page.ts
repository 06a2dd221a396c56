import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { IncomingMessage } from 'node:http';
import helmet from 'helmet';
import type { Context } from 'koa';
import type { Format } from '../../metrics/exposition/gatherer.js';
import type { Objective } from '../../openapi/operations/objectives.js';
import { measurementOf } from '../measure.js';
import { Problem } from '../problem.js';
import { metricsTokenCheck } from './metrics-token.js';

export interface StatusPageOptions {
  readonly token: string | undefined;
  /** Makes the whole exposition. */
  readonly gather: (format: Format) => Promise<Buffer>;
  /** Gives the workers as `koa-cluster-metrics status --json` shows them. */
  readonly workers: () => Promise<Buffer>;
  readonly objectives: () => readonly Objective[];
}

export interface StatusFile {
  readonly content: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

const UPLOT = join(dirname(require.resolve('uplot/package.json')), 'dist');
const OWN = join(__dirname, 'status');

/** The files of the page, by name: no other file can be asked for. */
const FILES: Readonly<Record<string, readonly [folder: string, type: string]>> = {
  'status.html': [OWN, 'text/html; charset=utf-8'],
  'status.css': [OWN, 'text/css; charset=utf-8'],
  'status.js': [OWN, 'text/javascript; charset=utf-8'],
  'uPlot.min.css': [UPLOT, 'text/css; charset=utf-8'],
  'uPlot.iife.min.js': [UPLOT, 'text/javascript; charset=utf-8'],
};

/** The data that the page asks for, by name. */
const DATA: readonly string[] = ['metrics.txt', 'workers.json', 'objectives.json'];

/** All paths of the page. */
export const STATUS_PATHS: readonly string[] = [
  '/status',
  ...[...Object.keys(FILES), ...DATA].map((name) => `/status/${name}`),
];

const JSON_TYPE = 'application/json';

const CHALLENGE = { 'WWW-Authenticate': 'Basic realm="status", charset="UTF-8"' };

/**
 * Makes a function that gives a file of the page: `status.html`, the files that it loads, and the data that
 * it asks for again and again. All files are in the package. The page draws itself from the metrics: while
 * nobody looks at it, it costs nothing.
 * @throws Problem 401 without the token, 404 for any other name
 */
export function createStatusPage({ token, gather, workers, objectives }: StatusPageOptions) {
  const check = token === undefined ? () => true : metricsTokenCheck(token);
  return async (name: string, { headers }: IncomingMessage): Promise<StatusFile> => {
    if (!check(tokenIn(headers.authorization)))
      throw new Problem(401, 'The password is METRICS_TOKEN, for any user name.', { headers: CHALLENGE });
    if (name === 'metrics.txt') return fresh('text/plain; charset=utf-8', await gather('text'));
    if (name === 'workers.json') return fresh(JSON_TYPE, await workers());
    if (name === 'objectives.json') return fresh(JSON_TYPE, Buffer.from(JSON.stringify(objectives())));
    const [folder, type] = (Object.hasOwn(FILES, name) ? FILES[name] : undefined) ?? [];
    if (folder === undefined || type === undefined)
      throw new Problem(404, 'The status page has no such file.');
    const content = await readFile(join(folder, name));
    return { content, headers: { 'Content-Type': type, 'Cache-Control': 'no-cache' } };
  };
}

function fresh(type: string, content: Buffer): StatusFile {
  return { content, headers: { 'Content-Type': type, 'Cache-Control': 'no-store' } };
}

/**
 * Returns the token of a bearer (RFC 6750 section 2.1), or the password of any user (RFC 7617),
 * for which a browser can ask.
 */
function tokenIn(authorization = ''): string {
  const [, scheme = '', credentials = ''] = /^(bearer|basic) +(.*)$/i.exec(authorization) ?? [];
  if (scheme.toLowerCase() === 'bearer') return credentials;
  const userAndPassword = Buffer.from(credentials, 'base64').toString();
  return userAndPassword.slice(userAndPassword.indexOf(':') + 1);
}

/** The headers of the page: nothing from another host, and no script or style that is not a file of ours. */
export const protectStatusPage = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ['data:'],
      connectSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  },
  // The proxy that terminates TLS sets this header: here it would force TLS on a site that has none.
  strictTransportSecurity: false,
});

/** The page as operations of the service. */
export function statusHandlers(options: StatusPageOptions) {
  const file = createStatusPage(options);
  const answer = async (name: string, ctx: Context): Promise<Buffer> => {
    // A look at the page is no work in progress: without this an idle service would report 1.
    measurementOf(ctx).leaveInProgress();
    protectStatusPage(ctx.req, ctx.res, () => undefined);
    const { content, headers } = await file(name, ctx.req);
    ctx.set(headers);
    return content;
  };
  return {
    status: (_request: unknown, ctx: Context) => answer('status.html', ctx),
    statusAsset: ({ path }: { path: Readonly<Record<string, string>> }, ctx: Context) =>
      answer(path['asset'] ?? '', ctx),
  };
}
