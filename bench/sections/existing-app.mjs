// @ts-check
import { existsSync } from 'node:fs';
import { load } from '../harness/load.mjs';
import { stop } from '../harness/process.mjs';
import { figure, table } from '../harness/report.mjs';
import { batches, interleave } from '../harness/rounds.mjs';
import { startServer } from '../harness/servers.mjs';
import { startService, treeCost } from '../harness/service.mjs';
import { floor, median, ratio } from '../harness/statistics.mjs';

export const title = 'The app you already have';

const ALONE = 'Koa + router alone';
const SERVED = 'the same app under serve(app)';
const COUNTED = 'the same app with prom-client middleware';
const NOTE = `\`GET /\` of one app of Koa and @koa/router: alone in a process, with the metrics middleware that everyone writes, and as \`serve(app)\` runs it with one
worker, where the CPU is that of primary and worker together.`;

/**
 * Measures the cost that serve(app) adds to an app.
 * @param {number} rounds
 */
export async function run(rounds) {
  if (!existsSync('/proc/self/schedstat')) return { title, text: 'Needs Linux.', bars: [] };
  /** @type {Record<string, { cpu: number }[]>} */
  const costs = {};
  for (const batch of batches(rounds))
    for (const [name, figures] of Object.entries(await costsOfProcesses(batch)))
      (costs[name] ??= []).push(...figures);
  const cpu = (/** @type {string} */ name) => (costs[name] ?? []).map((cost) => cost.cpu);
  const rows = [ALONE, COUNTED, SERVED].map((name) => [
    name,
    floor(cpu(name)),
    median(cpu(name)),
    ratio(cpu(SERVED), cpu(name)).median,
  ]);
  const best = figure(ratio(cpu(ALONE), cpu(COUNTED)).median);
  const limit = `The app alone costs ${best} of the same with prom-client middleware: what runs that app can't cost less.`;
  return {
    title,
    text: `${NOTE}\n\n${table(['', 'CPU µs, floor', 'median', 'served ÷ it'], rows)}\n\n${limit}`,
    bars: [
      { what: 'serve(app) ÷ the app alone', measured: ratio(cpu(SERVED), cpu(ALONE)).median, limit: 1.05 },
      {
        what: 'serve(app) ÷ the app with prom-client middleware',
        measured: ratio(cpu(SERVED), cpu(COUNTED)).median,
        limit: 0.75,
      },
    ],
  };
}

/** @param {number} rounds */
async function costsOfProcesses(rounds) {
  const running = [
    { name: ALONE, ...(await startServer({ program: 'koa.mjs' })) },
    { name: COUNTED, ...(await startServer({ program: 'koa.mjs', args: ['prom-client'] })) },
    { name: SERVED, ...(await startService(1, { program: 'served-app.mjs' })) },
  ];
  try {
    for (const { port } of running) await load({ port, requests: [{ path: '/' }], seconds: 2 });
    const measures = running.map((target) => [target.name, () => treeCost(target)]);
    return await interleave(Object.fromEntries(measures), rounds);
  } finally {
    for (const { child } of running) await stop(child);
  }
}
