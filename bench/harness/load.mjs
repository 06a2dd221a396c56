// @ts-check
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bind, LOAD_CORE } from './process.mjs';

const run = promisify(execFile);
const program = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
const hasWrk = !spawnSync('wrk', ['-v']).error;
const folder = mkdtempSync(`${tmpdir()}/bench-load-`);
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

/** The program that makes the load: wrk costs a tenth of the CPU, autocannon comes with npm. */
export const LOAD_TOOL = hasWrk ? 'wrk' : 'autocannon';
/** Seconds of load until V8 has compiled what a process runs, which it does on the same core. */
export const WARM_UP_SECONDS = 3;
/** Keep-alive connections of every load. */
export const CONNECTIONS = 32;

/** @typedef {{ method?: string, path: string, headers?: Record<string, string>, body?: string }} Request */

/**
 * Requests as fast as the server answers, over keep-alive connections, each in turn.
 * @param {{ port: number, requests: readonly Request[], status?: number, seconds: number, bound?: boolean }} options
 *   `bound`: to the core of loads
 * @returns {Promise<{ requests: number, perSecond: number }>} rejects when an answer was of another class than `status` (200), or a
 *   socket failed
 */
export async function load({ port, requests, status = 200, seconds, bound = true }) {
  const url = `http://127.0.0.1:${port}`;
  const file = `${folder}/requests`;
  writeFileSync(file, hasWrk ? requests.map(framed).join('') : JSON.stringify(requests));
  const command = hasWrk
    ? ['wrk', '-t1', '--timeout', '10s', `-c${CONNECTIONS}`, `-d${seconds}s`]
    : [process.execPath, program('autocannon.mjs'), String(CONNECTIONS), String(seconds)];
  if (hasWrk) command.push('-s', program('requests.lua'), url, '--', file);
  else command.push(url, file);
  const [name, args] = bind(bound ? LOAD_CORE : undefined, command);
  const { stdout } = await run(name, args);
  const done = hasWrk ? parseWrk(stdout) : JSON.parse(stdout);
  if (done.failed || done.refused !== (status >= 400 ? done.requests : 0) || done.requests === 0)
    throw new Error(`Not what was to be measured: ${stdout}`);
  return done;
}

/** A request as its length and its bytes, for the script of wrk. */
function framed(/** @type {Request} */ { method = 'GET', path, headers = {}, body = '' }) {
  const length = body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const fields = Object.entries({ host: 'bench', ...headers, ...length }).map((field) => field.join(': '));
  const request = [`${method} ${path} HTTP/1.1`, ...fields, '', body].join('\r\n');
  return `${Buffer.byteLength(request)}\n${request}`;
}

/** @param {string} output */
function parseWrk(output) {
  const found = /(\d+) requests in ([\d.]+)(ms|s|m),/.exec(output);
  const perSecond = /Requests\/sec:\s+([\d.]+)/.exec(output);
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(output);
  return {
    requests: Number(found?.[1]),
    perSecond: Number(perSecond?.[1]),
    refused: Number(refused?.[1] ?? 0),
    failed: output.includes('Socket errors'),
  };
}
