// @ts-check
import { table } from '../harness/report.mjs';
import { requestCosts } from '../harness/servers.mjs';
import { floor, median, ratio } from '../harness/statistics.mjs';

export const title = 'Request cost';

const OURS = 'our service';
const NOTE = `Each answers the same JSON over keep-alive connections, as one process, in production mode; the frameworks and their metrics are set
up as their own documentation does it. Ours is the process that a worker is, its counts in a ledger. Without instrumentation
it has Node's own responses, no metrics middleware and no default metrics, and all the rest. Every five rounds all are started
anew: two processes of one program differ by a few percent.`;
const PEERS = {
  'node:http': ['node-http.mjs'],
  'Koa + router': ['koa.mjs'],
  'our service without instrumentation': ['ours.mjs', 'uninstrumented'],
  [OURS]: ['ours.mjs'],
  'Koa + router + prom-client middleware': ['koa.mjs', 'prom-client'],
  'Express + express-prom-bundle': ['express.mjs'],
  'Fastify + fastify-metrics': ['fastify.mjs'],
  'Fastify + fastify-metrics, histogram only': ['fastify.mjs', 'histogram'],
};
/** @type {[peer: keyof typeof PEERS, limit: number][]} */
const BARS = [
  ['our service without instrumentation', 1.05],
  ['Koa + router', 1.1],
  ['Koa + router + prom-client middleware', 0.7],
  ['Fastify + fastify-metrics', 1],
];

/**
 * CPU per request of our service, without its instrumentation, and of others that answer the same.
 * @param {number} rounds
 */
export async function run(rounds) {
  const texts = [NOTE];
  const bars = [];
  for (const path of ['/', '/hello/world']) {
    const costs = await requestCosts(contestants(path), rounds);
    const cpu = (/** @type {string} */ name) => (costs[name] ?? []).map((cost) => cost.cpu);
    const rows = Object.entries(costs).map(([name, figures]) => {
      const { median: middle, floors } = ratio(cpu(OURS), cpu(name));
      const rates = figures.map((cost) => cost.perSecond);
      return [name, floor(cpu(name)), median(cpu(name)), median(rates), middle, floors];
    });
    texts.push(
      `\`GET ${path}\``,
      table(['', 'CPU µs, floor', 'median', 'requests/s', 'ours ÷ it', 'of floors'], rows),
    );
    for (const [peer, limit] of BARS) {
      bars.push({
        what: `\`GET ${path}\`, ours ÷ ${peer}`,
        measured: ratio(cpu(OURS), cpu(peer)).median,
        limit,
      });
    }
  }
  return { title, text: texts.join('\n\n'), bars };
}

/**
 * @param {string} path
 * @returns {Record<string, import('../harness/servers.mjs').Contestant>}
 */
function contestants(path) {
  const entries = Object.entries(PEERS).map(([name, [program = '', ...args]]) => [
    name,
    { program, args, paths: [path] },
  ]);
  return Object.fromEntries(entries);
}
