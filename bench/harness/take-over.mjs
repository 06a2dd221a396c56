// @ts-check
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../../dist/config.js';
import { cpuTime, startProgram, stop } from './process.mjs';
import { freePort, ready } from './service.mjs';

const path = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));

/** @typedef {{ ms: number, cpu: number }} Start  until it is ready; CPU of the primary in ms */

/**
 * Runs `measure` with a function that starts the service once, ends it, and gives what the start took.
 * @template Result
 * @param {(start: (leftovers?: { workers: number, rows: number }) => Promise<Start>) => Promise<Result>} measure  `leftovers`: of a
 *   service before it that was killed with all its workers
 */
export async function withStarts(measure) {
  const base = mkdtempSync(join(readConfig({}).ledgerDir, 'bench-take-over-'));
  const env = { LEDGER_DIR: base, SERVICE_NAME: 'bench', WEB_CONCURRENCY: '2', LOG_LEVEL: 'error' };
  const start = async () => {
    const port = String(await freePort());
    const begin = performance.now();
    const child = startProgram([path('../../dist/main.js')], {
      env: { ...env, HOST: '127.0.0.1', PORT: port },
    });
    await ready(child, async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok);
    const ms = performance.now() - begin;
    const cpu = (await cpuTime(child)) / 1000;
    await stop(child);
    return { ms, cpu };
  };
  try {
    await start();
    const folder = join(base, readdirSync(base)[0] ?? '');
    return await measure(async (leftovers) => {
      for (const name of readdirSync(folder)) rmSync(join(folder, name));
      if (leftovers) {
        const { workers, rows } = leftovers;
        const killed = startProgram([
          path('../servers/leftovers.mjs'),
          folder,
          String(workers),
          String(rows),
        ]);
        await once(killed, 'exit');
      }
      return start();
    });
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}
