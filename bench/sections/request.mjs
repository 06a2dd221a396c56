// @ts-check
import { table } from '../harness/report.mjs';
import { requestCosts } from '../harness/servers.mjs';
import { floor, median, ratio } from '../harness/statistics.mjs';

export const title = 'What a small request costs, and what each option adds';

const OURS = 'this service';
const UNINSTRUMENTED = 'this service without instrumentation';
const UNCHECKED = 'this service, VALIDATE_RESPONSES=off';
const MIDDLEWARE = 'this service with a middleware that does nothing';
const TRACED = 'this service, a traceparent on each request';
const ACCESS_LOG_OFF = 'this service, ACCESS_LOG=off';
const SECURED = 'this service, an apiKey checked';
const KOA_ALONE = 'Koa without a router';
const KOA = 'Koa + router';
const KOA_METRICS = 'Koa + router + prom-client middleware';
const FASTIFY_METRICS = 'Fastify + fastify-metrics';
const NOTE = `\`GET /hello/{name}\`: each answers the same JSON over keep-alive connections, as one process; the frameworks and their metrics are set
up as their own documentation does it. Ours is the process that a worker is, its counts in a ledger, in the mode of \`npm start\`. Without
instrumentation it has Node's own responses, no metrics middleware and no default metrics, and all the rest. Every two rounds all are
started anew: two processes of one program can differ by a third.`;
/** The environment of \`npm start\`. */
const NPM_START = { NODE_ENV: undefined };
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const CONTESTANTS = {
  'node:http': { program: 'node-http.mjs' },
  'node:http, a traceparent on each request, unread': { program: 'node-http.mjs', headers: { traceparent } },
  [UNINSTRUMENTED]: { program: 'ours.mjs', args: ['uninstrumented'], env: NPM_START },
  [OURS]: { program: 'ours.mjs', env: NPM_START },
  [UNCHECKED]: { program: 'ours.mjs', env: { ...NPM_START, VALIDATE_RESPONSES: 'off' } },
  [ACCESS_LOG_OFF]: { program: 'ours.mjs', env: { ...NPM_START, ACCESS_LOG: 'off' } },
  [MIDDLEWARE]: { program: 'ours.mjs', args: ['middleware'], env: NPM_START },
  [TRACED]: { program: 'ours.mjs', env: NPM_START, headers: { traceparent } },
  [SECURED]: { program: 'ours.mjs', args: ['apiKey'], env: NPM_START, headers: { 'x-api-key': 'secret' } },
  [KOA_ALONE]: { program: 'koa.mjs', args: ['routerless'] },
  [KOA]: { program: 'koa.mjs' },
  [KOA_METRICS]: { program: 'koa.mjs', args: ['prom-client'] },
  'Koa + router + @prometheus-io/client middleware': {
    program: 'koa.mjs',
    args: ['@prometheus-io/client'],
    node: 22,
  },
  Fastify: { program: 'fastify.mjs' },
  [FASTIFY_METRICS]: { program: 'fastify.mjs', args: ['metrics'] },
  'Fastify + fastify-metrics, histogram only': { program: 'fastify.mjs', args: ['histogram'] },
};
/** @type {[contestant: string, other: string, limit: number][]} */
const BARS = [
  [OURS, UNINSTRUMENTED, 1.05],
  [OURS, UNCHECKED, 1.15],
  [MIDDLEWARE, OURS, 1.25],
  [TRACED, OURS, 1.06],
  [OURS, KOA, 0.7],
  [OURS, KOA_METRICS, 0.7],
  [OURS, FASTIFY_METRICS, 0.9],
];

/**
 * CPU per request of our service, of it with options, and of others that answer the same.
 * @param {number} rounds
 */
export async function run(rounds) {
  const costs = (await requestCosts(contestants(), rounds))['hello'] ?? {};
  const cpu = (/** @type {string} */ name) => (costs[name] ?? []).map((cost) => cost.cpu);
  const rows = Object.entries(costs).map(([name, figures]) => {
    const { median: middle, floors } = ratio(cpu(OURS), cpu(name));
    const rates = figures.map((cost) => cost.perSecond);
    return [name, floor(cpu(name)), median(cpu(name)), median(rates), middle, floors];
  });
  const bars = BARS.map(([name, other, limit]) => ({
    what: `${name} ÷ ${other}`,
    measured: ratio(cpu(name), cpu(other)).median,
    limit,
  }));
  const apiKey = { what: `what the check of an apiKey adds, µs`, limit: 1.5 };
  bars.push({ ...apiKey, measured: median(cpu(SECURED).map((cost, i) => cost - (cpu(OURS)[i] ?? NaN))) });
  const head = ['', 'CPU µs, floor', 'median', 'requests/s', 'ours ÷ it', 'of floors'];
  return { title, text: `${NOTE}\n\n${table(head, rows)}`, bars };
}

/** Returns the contestants that this Node can run. */
function contestants() {
  const major = Number(process.versions.node.split('.')[0]);
  /** @type {Record<string, import('../harness/servers.mjs').Contestant>} */
  const runnable = {};
  for (const [name, { node = 0, headers = {}, ...server }] of Object.entries(
    /** @type {Record<string, any>} */ (CONTESTANTS),
  )) {
    const request = { path: '/hello/world', headers };
    if (major >= node) runnable[name] = { ...server, jobs: { hello: { requests: [request] } } };
  }
  return runnable;
}
