// @ts-check
import { table } from '../harness/report.mjs';
import { requestCosts } from '../harness/servers.mjs';
import { floor, median, ratio } from '../harness/statistics.mjs';
import { jobs } from '../servers/api.mjs';

export const title = 'What an API does';

const OURS = 'this service';
const FASTIFY = 'Fastify';
const FASTIFY_METRICS = 'Fastify + fastify-metrics';
const KOA = 'Koa + koa-bodyparser + ajv + prom-client';
const EXPRESS = 'Express + express-openapi-validator + express-prom-bundle';
const NOTE = `One API with a description, served by each as its own documentation does it: what comes in is validated. Ours runs as \`npm start\` does,
so that it also checks what its handlers answer; Fastify has schemas for its answers, which its serializer is made from.
The others do not look at what they answer. CPU µs a request.`;
const CONTESTANTS = {
  [OURS]: { program: 'ours.mjs', env: { NODE_ENV: undefined } },
  [FASTIFY]: { program: 'fastify.mjs' },
  [FASTIFY_METRICS]: { program: 'fastify.mjs', args: ['metrics'] },
  [KOA]: { program: 'koa-ajv.mjs' },
  'Koa + openapi-backend + prom-client': { program: 'openapi-backend.mjs' },
  [EXPRESS]: { program: 'express.mjs' },
};
const onNode20 = process.versions.node.startsWith('20.');
/** @type {[job: keyof typeof jobs, peer: string, limit: number][]} */
const BARS = [
  ['small GET', FASTIFY_METRICS, 0.9],
  ['POST, 100 B', FASTIFY_METRICS, onNode20 ? 1 : 0.85],
  ['POST, 100 B', FASTIFY, onNode20 ? 1.1 : 1.05],
  ['answer of 10 kB', FASTIFY, 1],
  ['answer 400', FASTIFY, 1],
  ['answer 404', FASTIFY, 1],
];

/**
 * Measures the jobs of an API on each of the servers.
 * @param {number} rounds
 */
export async function run(rounds) {
  const contestants = Object.entries(CONTESTANTS).map(([name, contestant]) => [
    name,
    { ...contestant, jobs },
  ]);
  const costs = await requestCosts(Object.fromEntries(contestants), rounds);
  const cpu = (/** @type {string} */ job, /** @type {string} */ name) =>
    (costs[job]?.[name] ?? []).map((cost) => cost.cpu);
  const tables = Object.keys(jobs).map((job) => {
    const rows = Object.keys(CONTESTANTS).map((name) => {
      const { median: middle, floors } = ratio(cpu(job, OURS), cpu(job, name));
      return [name, floor(cpu(job, name)), median(cpu(job, name)), middle, floors];
    });
    return `**${job}**\n\n${table(['', 'floor', 'median', 'ours ÷ it', 'of floors'], rows)}`;
  });
  return {
    title,
    text: [NOTE, ...tables].join('\n\n'),
    bars: BARS.map(([job, peer, limit]) => ({
      what: `${job}, ours ÷ ${peer}`,
      measured: ratio(cpu(job, OURS), cpu(job, peer)).median,
      limit,
    })),
    headline: Object.keys(jobs).map((job) => ({
      what: job,
      unit: 'CPU µs',
      figures: [OURS, FASTIFY_METRICS, KOA, EXPRESS].map((name) => median(cpu(job, name))),
    })),
  };
}
