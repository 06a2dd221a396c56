// @ts-check
import { fileURLToPath } from 'node:url';
import { ask, SERVER_CORE, startNode, stop } from '../harness/process.mjs';
import { table } from '../harness/report.mjs';
import { interleave } from '../harness/rounds.mjs';
import { floor, median } from '../harness/statistics.mjs';

export const title = 'Cold start of a function';

const OURS = 'this service, dist/serverless.js';
const KOA = 'Koa + @koa/router + serverless-http';
const NOTE = `From the start of the process to the first answer to an event of an API Gateway, with the description that the service comes with.
A bare Koa neither reads a description nor counts.`;
const PROGRAMS = {
  'Node with nothing': './lambda-nothing.mjs',
  [KOA]: './lambda-koa.mjs',
  [OURS]: './lambda-ours.mjs',
  'openapi-backend on Koa + serverless-http': './lambda-openapi-backend.mjs',
};
const COLD_START = fileURLToPath(new URL('../servers/cold-start.mjs', import.meta.url));

/**
 * Cold start of our function and of others.
 * @param {number} rounds
 */
export async function run(rounds) {
  const measures = Object.entries(PROGRAMS).map(([name, program]) => [name, () => coldStart(program)]);
  const starts = await interleave(Object.fromEntries(measures), rounds);
  const pick = (/** @type {string} */ name, /** @type {'ms' | 'cpu'} */ field) =>
    (starts[name] ?? []).map((start) => start[field]);
  const rows = Object.keys(PROGRAMS).map((name) => [
    name,
    floor(pick(name, 'ms')),
    median(pick(name, 'ms')),
    floor(pick(name, 'cpu')),
    median(pick(name, 'cpu')),
  ]);
  return {
    title,
    text: `${NOTE}\n\n${table(['', 'ms, floor', 'median', 'CPU ms, floor', 'median'], rows)}`,
    bars: [{ what: 'cold start, ms', measured: median(pick(OURS, 'ms')), limit: 150 }],
    headline: [
      {
        what: 'cold start of a function',
        unit: 'ms',
        figures: [median(pick(OURS, 'ms')), null, median(pick(KOA, 'ms')), null],
      },
    ],
  };
}

/**
 * @param {string} program
 * @returns {Promise<{ ms: number, cpu: number }>}
 */
async function coldStart(program) {
  const child = startNode([COLD_START, program], { core: SERVER_CORE });
  try {
    return await ask(child);
  } finally {
    await stop(child);
  }
}
