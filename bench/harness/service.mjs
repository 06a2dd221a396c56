// @ts-check
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { load } from './load.mjs';
import { SERVER_CORE, startProgram, stop, treeTime } from './process.mjs';
import { interleave } from './rounds.mjs';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const READY_MS = 30_000;

/**
 * Starts the whole service, primary and workers, and waits until it is ready.
 * @param {number} workers
 */
export async function startService(workers) {
  const port = await freePort();
  const env = { HOST: '127.0.0.1', PORT: String(port), WEB_CONCURRENCY: String(workers), LOG_LEVEL: 'warn' };
  const child = startProgram([MAIN], { core: SERVER_CORE, env });
  for (const deadline = performance.now() + READY_MS; !(await isReady(port)); await setTimeout(50)) {
    if (performance.now() < deadline && child.exitCode === null) continue;
    await stop(child);
    throw new Error(`the service is not ready within ${READY_MS} ms`);
  }
  return { child, port };
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
      const { port, child } = service;
      const paths = ['/'];
      await load({ port, paths, seconds: 3 });
      measures[workers] = async () => {
        const before = treeTime(child.pid ?? 0);
        const { requests } = await load({ port, paths, seconds: 1 });
        return (treeTime(child.pid ?? 0) - before) / requests;
      };
    }
    return await interleave(measures, rounds);
  } finally {
    for (const { child } of services) await stop(child);
  }
}

/** @returns {Promise<number>} a port that nothing listens on */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

/** @param {number} port */
async function isReady(port) {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  } catch {
    return false;
  }
}
