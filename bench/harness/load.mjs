// @ts-check
import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bind, LOAD_CORE } from './process.mjs';

const run = promisify(execFile);
const path = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
const hasWrk = !spawnSync('wrk', ['-v']).error;

/** What makes the load: wrk costs a tenth of the CPU, autocannon is there wherever npm is. */
export const LOAD_TOOL = hasWrk ? 'wrk' : 'autocannon';
/** Keep-alive connections of every load. */
export const CONNECTIONS = 32;

/**
 * Requests as fast as the server answers, over keep-alive connections, each path in turn.
 * @param {{ port: number, paths: readonly string[], seconds: number }} options
 * @returns {Promise<{ requests: number, perSecond: number }>} rejects when a response was not 2xx or a socket failed
 */
export async function load({ port, paths, seconds }) {
  const url = `http://127.0.0.1:${port}`;
  const command = hasWrk
    ? ['wrk', '-t1', '--timeout', '10s', `-c${CONNECTIONS}`, `-d${seconds}s`, ...wrkTarget(url, paths)]
    : [process.execPath, path('autocannon.mjs'), url, String(CONNECTIONS), String(seconds), ...paths];
  const [program, args] = bind(LOAD_CORE, command);
  const { stdout } = await run(program, args);
  return hasWrk ? parseWrk(stdout) : JSON.parse(stdout);
}

/**
 * @param {string} url
 * @param {readonly string[]} paths
 */
function wrkTarget(url, paths) {
  return paths.length === 1 ? [url + paths[0]] : ['-s', path('paths.lua'), url, '--', ...paths];
}

/** @param {string} output */
function parseWrk(output) {
  const found = /(\d+) requests in ([\d.]+)(ms|s|m),/.exec(output);
  const perSecond = /Requests\/sec:\s+([\d.]+)/.exec(output);
  if (!found || !perSecond || /Non-2xx|Socket errors/.test(output)) throw new Error(`wrk failed:\n${output}`);
  return { requests: Number(found[1]), perSecond: Number(perSecond[1]) };
}
