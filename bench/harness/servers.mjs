// @ts-check
import { fileURLToPath } from 'node:url';
import { load } from './load.mjs';
import { ask, cpuTime, SERVER_CORE, startNode, stop } from './process.mjs';
import { interleave } from './rounds.mjs';

/**
 * @typedef {{ cpu: number, perSecond: number }} RequestCost  CPU in µs a request
 * @typedef {{ program: string, args?: string[], paths: readonly string[] }} Contestant
 */

const WARM_UP_SECONDS = 3;
/**
 * Then all are started anew: of two processes of one program one is a few percent faster for as long as they live (what the
 * compiler takes for hot, and where memory lies, differs).
 */
const ROUNDS_OF_A_PROCESS = 5;
const file = (/** @type {string} */ name) => fileURLToPath(new URL(`../servers/${name}`, import.meta.url));

/**
 * Starts a server program of the bench and waits until it listens.
 * @param {string} program
 * @param {string[]} [args]
 */
export async function startServer(program, args = []) {
  const child = startNode([file(program), ...args], { core: SERVER_CORE });
  const { port } = await ask(child);
  return { child, port: Number(port) };
}

/**
 * What a request costs each of the servers, all of them running at the same time and loaded in turn. Throws unless the answers
 * to their first paths are the same.
 * @param {Record<string, Contestant>} contestants
 * @param {number} rounds
 * @returns {Promise<Record<string, RequestCost[]>>}
 */
export async function requestCosts(contestants, rounds) {
  /** @type {Record<string, RequestCost[]>} */
  const costs = {};
  for (let left = rounds; left > 0; left -= ROUNDS_OF_A_PROCESS) {
    const some = await costsOfProcesses(contestants, Math.min(left, ROUNDS_OF_A_PROCESS));
    for (const [name, figures] of Object.entries(some)) (costs[name] ??= []).push(...figures);
  }
  return costs;
}

/**
 * @param {Record<string, Contestant>} contestants
 * @param {number} rounds
 * @returns {Promise<Record<string, RequestCost[]>>}
 */
async function costsOfProcesses(contestants, rounds) {
  /** @type {Record<string, () => Promise<RequestCost>>} */
  const measures = {};
  /** @type {import('node:child_process').ChildProcess[]} */
  const children = [];
  const answers = new Set();
  try {
    for (const [name, { program, args, paths }] of Object.entries(contestants)) {
      const { child, port } = await startServer(program, args);
      children.push(child);
      await load({ port, paths, seconds: WARM_UP_SECONDS });
      answers.add(await (await fetch(`http://127.0.0.1:${port}${paths[0]}`)).text());
      measures[name] = () => requestCost(child, port, paths);
    }
    if (answers.size > 1) throw new Error(`Not the same work: ${[...answers].join(' ')}`);
    return await interleave(measures, rounds);
  } finally {
    for (const child of children) await stop(child);
  }
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {number} port
 * @param {readonly string[]} paths
 * @returns {Promise<RequestCost>}
 */
async function requestCost(child, port, paths) {
  const before = await cpuTime(child);
  const { requests, perSecond } = await load({ port, paths, seconds: 1 });
  return { cpu: ((await cpuTime(child)) - before) / requests, perSecond };
}
