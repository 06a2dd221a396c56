// @ts-check
import { createServer } from 'node:net';
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { load, WARM_UP_SECONDS } from './load.mjs';
import { childrenOf, SERVER_CORE, startProgram, stop, treeTime } from './process.mjs';
import { interleave } from './rounds.mjs';
import { median } from './statistics.mjs';

const path = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
const READY_MS = 60_000;
const POLL_MS = 10;

/**
 * Starts the whole service, primary and workers, and waits until all workers are ready.
 * @param {number} workers
 * @param {{ bound?: boolean, program?: string }} [options]  `bound`: all its processes to the core of servers; `program`: one of the
 *   bench's servers in place of the project's own service
 */
export async function startService(workers, { bound = true, program } = {}) {
  const port = await freePort();
  const env = {
    HOST: '127.0.0.1',
    PORT: String(port),
    WEB_CONCURRENCY: String(workers),
    LOG_LEVEL: 'warn',
    METRICS_KEEP: 'off',
    NODE_ENV: undefined,
  };
  const child = startProgram([path(program ? `../servers/${program}` : '../../dist/main.js')], {
    core: bound ? SERVER_CORE : undefined,
    env,
  });
  await ready(child, async () => (await readyWorkers(port)) >= workers);
  return { child, port };
}

/**
 * Starts Watt with a Koa app in so many threads, and waits until it answers.
 * @param {number} workers
 */
export async function startWatt(workers) {
  const [port, metrics] = [await freePort(), await freePort()];
  const env = { PORT: String(port), METRICS_PORT: String(metrics), WORKERS: String(workers) };
  const program = path('../node_modules/wattpm/bin/cli.js');
  const child = startProgram([program, 'start', path('../servers/watt')], { env });
  await ready(child, async () => (await fetch(`http://127.0.0.1:${port}/`)).ok);
  return { child, port };
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {() => Promise<boolean>} isReady  may reject
 */
export async function ready(child, isReady) {
  const deadline = performance.now() + READY_MS;
  while (!(await isReady().catch(() => false))) {
    if (performance.now() > deadline || child.exitCode !== null) {
      await stop(child);
      throw new Error(`${child.spawnargs.join(' ')} is not ready within ${READY_MS} ms`);
    }
    await setTimeout(POLL_MS);
  }
}

/**
 * CPU in µs that a request costs all processes of the service together, by number of workers. Only where there is a /proc.
 * @param {readonly number[]} workerCounts
 * @param {number} rounds
 */
export async function serviceCosts(workerCounts, rounds) {
  const services = [];
  try {
    /** @type {Record<string, () => Promise<number>>} */
    const measures = {};
    for (const workers of workerCounts) {
      const service = await startService(workers);
      services.push(service);
      await load({ port: service.port, requests: [{ path: '/' }], seconds: workers * WARM_UP_SECONDS });
      measures[workers] = async () => (await treeCost(service)).cpu;
    }
    return await interleave(measures, rounds);
  } finally {
    for (const { child } of services) await stop(child);
  }
}

/**
 * Measures the cost of a small request in all processes of a program together, under a load of a second.
 * @param {{ child: import('node:child_process').ChildProcess, port: number, bound?: boolean }} target
 *   `bound`: the load, to its core
 */
export async function treeCost({ child, port, ...where }) {
  const before = treeTime(child.pid ?? 0);
  const { requests, perSecond } = await load({ port, requests: [{ path: '/' }], seconds: 1, ...where });
  return { cpu: (treeTime(child.pid ?? 0) - before) / requests, perSecond };
}

/**
 * Resident memory of a process, of the median of its children, and of all of them, in MB.
 * @param {import('node:child_process').ChildProcess} child
 */
export function residentMemory({ pid = 0 }) {
  const primary = residentSize(pid);
  const workers = childrenOf(pid).map(residentSize);
  return { primary, worker: median(workers), all: workers.reduce((sum, size) => sum + size, primary) };
}

/** @param {number} pid */
function residentSize(pid) {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}

/** @returns {Promise<number>} a port that nothing listens on */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

/** @param {number} port */
async function readyWorkers(port) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^flask_app_workers\{state="ready"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}
