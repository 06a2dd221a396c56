// @ts-check
import { fileURLToPath } from 'node:url';
import { load, WARM_UP_SECONDS } from './load.mjs';
import { ask, cpuTime, SERVER_CORE, startNode, stop } from './process.mjs';
import { batches, interleave } from './rounds.mjs';

/**
 * @typedef {{ cpu: number, perSecond: number }} RequestCost  CPU in µs a request
 * @typedef {import('../servers/api.mjs').Job} Job
 * @typedef {{ program: string, args?: string[], env?: Record<string, string | undefined>, jobs: Record<string, Job> }} Contestant
 */

const file = (/** @type {string} */ name) => fileURLToPath(new URL(`../servers/${name}`, import.meta.url));

/**
 * Starts a server program of the bench and waits until it listens.
 * @param {Pick<Contestant, 'program' | 'args' | 'env'>} contestant
 */
export async function startServer({ program, args = [], env = {} }) {
  const child = startNode([file(program), ...args], { core: SERVER_CORE, env });
  const { port } = await ask(child);
  return { child, port: Number(port) };
}

/**
 * Measures the cost of each job on each of the servers, which all run at the same time and are loaded in
 * turn, one job after the other. Throws unless all answer a job with its status and, if that is a
 * success, with the same bytes.
 * @param {Record<string, Contestant>} contestants
 * @param {number} rounds
 * @returns {Promise<Record<string, Record<string, RequestCost[]>>>} by job and contestant
 */
export async function requestCosts(contestants, rounds) {
  /** @type {Record<string, Record<string, RequestCost[]>>} */
  const costs = {};
  for (const batch of batches(rounds)) {
    const some = await costsOfProcesses(contestants, batch);
    for (const [job, byName] of Object.entries(some))
      for (const [name, figures] of Object.entries(byName))
        ((costs[job] ??= {})[name] ??= []).push(...figures);
  }
  return costs;
}

/**
 * @param {Record<string, Contestant>} contestants
 * @param {number} rounds
 */
async function costsOfProcesses(contestants, rounds) {
  const servers = [];
  try {
    for (const [name, contestant] of Object.entries(contestants)) {
      const server = { name, jobs: contestant.jobs, ...(await startServer(contestant)) };
      servers.push(server);
      for (const job of Object.values(server.jobs))
        await load({ port: server.port, seconds: WARM_UP_SECONDS, ...job });
    }
    /** @type {Record<string, Record<string, RequestCost[]>>} */
    const costs = {};
    for (const name of new Set(servers.flatMap(({ jobs }) => Object.keys(jobs)))) {
      await compareAnswers(servers, name);
      const measures = servers.map(
        (server) => /** @type {const} */ ([server.name, () => requestCost(server, name)]),
      );
      // A server that was started early has waited for the others, and its first requests cost more than the later ones.
      for (const [, measure] of measures) await measure();
      costs[name] = await interleave(Object.fromEntries(measures), rounds);
    }
    return costs;
  } finally {
    for (const { child } of servers) await stop(child);
  }
}

/** @typedef {{ child: import('node:child_process').ChildProcess, port: number, jobs: Record<string, Job> }} Server */

/**
 * @param {readonly Server[]} servers
 * @param {string} name
 */
async function compareAnswers(servers, name) {
  const answers = new Set();
  for (const { port, jobs } of servers) {
    const job = jobOf(jobs, name);
    const [{ path, ...init } = { path: '' }] = job.requests;
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    const { status = 200 } = job;
    if (response.status !== status) throw new Error(`${name}: ${response.status} instead of ${status}`);
    const text = await response.text();
    if (status < 400) answers.add(text);
  }
  if (answers.size > 1) throw new Error(`${name}: not the same work: ${[...answers].join(' ')}`);
}

/**
 * @param {Record<string, Job>} jobs
 * @param {string} name
 */
function jobOf(jobs, name) {
  const job = jobs[name];
  if (!job) throw new Error(`One of the contestants has no job "${name}"`);
  return job;
}

/**
 * @param {Server} server
 * @param {string} name
 * @returns {Promise<RequestCost>}
 */
async function requestCost({ child, port, jobs }, name) {
  const before = await cpuTime(child);
  const { requests, perSecond } = await load({ port, seconds: 1, ...jobOf(jobs, name) });
  return { cpu: ((await cpuTime(child)) - before) / requests, perSecond };
}
