// @ts-check
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const pinned = availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0;
/** The core that servers are bound to; load runs on the other one. Undefined where processes cannot be bound. */
export const SERVER_CORE = pinned ? 0 : undefined;
export const LOAD_CORE = pinned ? 1 : undefined;

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
process.once('exit', () => running.forEach(end));
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
  process.once(signal, () => process.exit(130));

/**
 * A command line that is bound to a core.
 * @param {number | undefined} core
 * @param {string[]} command
 * @returns {[string, string[]]}
 */
export function bind(core, [program = '', ...args]) {
  return core === undefined ? [program, args] : ['taskset', ['-c', String(core), program, ...args]];
}

/**
 * @typedef {{ core?: number | undefined, env?: Record<string, string | undefined> }} StartOptions  an `undefined` variable is not passed on
 */

/**
 * Starts a Node program of the bench, with an IPC channel, bound to a core. It ends with the bench, however that ends.
 * @param {string[]} command  a program and its arguments
 * @param {StartOptions} [options]
 */
export function startNode(command, options) {
  return start(command, ['ignore', 'inherit', 'inherit', 'ipc'], options);
}

/**
 * Starts any other Node program, as `startNode` does, without a channel.
 * @param {string[]} command
 * @param {StartOptions} [options]
 */
export function startProgram(command, options) {
  return start(command, ['ignore', 'inherit', 'inherit'], options);
}

/**
 * @param {string[]} command
 * @param {import('node:child_process').StdioOptions} stdio
 * @param {StartOptions} [options]
 */
function start(command, stdio, { core, env } = {}) {
  const [program, args] = bind(core, [process.execPath, ...command]);
  const child = spawn(program, args, { stdio, env: { ...process.env, NODE_ENV: 'production', ...env } });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/**
 * Sends a message and waits for the next one that comes back. Rejects when the process ends first.
 * @param {import('node:child_process').ChildProcess} child
 * @param {object} [message]
 * @returns {Promise<any>} whatever the program of the bench answers
 */
export async function ask(child, message) {
  const settled = new AbortController();
  const { signal } = settled;
  const exited = once(child, 'exit', { signal }).then(([code, by]) => {
    throw new Error(`${child.spawnargs.join(' ')} ended with ${code ?? by}`);
  });
  const answered = once(child, 'message', { signal }).then(([answer]) => answer);
  if (message) child.send(message);
  try {
    return await Promise.race([answered, exited]);
  } finally {
    settled.abort();
    exited.catch(() => {});
  }
}

/**
 * Ends a process and waits until it is gone.
 * @param {import('node:child_process').ChildProcess} child
 */
export async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  end(child);
  const deadline = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await exited;
  clearTimeout(deadline);
}

/**
 * The programs of the bench end when their channel is closed, others on SIGTERM.
 * @param {import('node:child_process').ChildProcess} child
 */
function end(child) {
  if (child.connected) child.disconnect();
  else child.kill();
}

/**
 * CPU time that all threads of a process have used, in µs: to the nanosecond from the scheduler where the kernel
 * tells it, else what the process says of itself.
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<number>}
 */
export async function cpuTime(child) {
  try {
    return schedulerTime(child.pid ?? 0);
  } catch {
    const { user, system } = await ask(child, { type: 'cpu' });
    return user + system;
  }
}

/**
 * CPU time of a process and of all its descendants, in µs. Only where there is a /proc.
 * @param {number} pid
 * @returns {number}
 */
export function treeTime(pid) {
  return childrenOf(pid).reduce((sum, child) => sum + treeTime(child), schedulerTime(pid));
}

/**
 * The ids of a process' children. Only where there is a /proc.
 * @param {number} pid
 */
export function childrenOf(pid) {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return list.split(' ').filter(Boolean).map(Number);
}

/** @param {number} pid */
function schedulerTime(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  const times = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return times.reduce((sum, time) => sum + time, 0) / 1000;
}
