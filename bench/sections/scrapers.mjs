// @ts-check
import { fileURLToPath } from 'node:url';
import { ask, LOAD_CORE, startNode, stop } from '../harness/process.mjs';
import { table } from '../harness/report.mjs';
import { interleave } from '../harness/rounds.mjs';
import { startService } from '../harness/service.mjs';
import { median, quantile, ratio } from '../harness/statistics.mjs';

export const title = 'Requests during scrapes';

const WORKERS = 2;
const CONNECTIONS = 32;
const RATE = 1000;
const CLIENTS = 50;
const SECONDS = 2;
/** V8 compiles the code of scrapes, which runs a few times a second, for about as long, and does so on the service's only core. */
const WARM_UP_SECONDS = 180;
/**
 * The garbage collector's and the compiler's threads would wait for the core that the load's own loop keeps busy. Each of that
 * loop's turns leaves a little garbage: with V8's own sizes it would stop every ten milliseconds.
 */
const LOAD_OPTIONS = ['--single-threaded', '--min-semi-space-size=64', '--max-semi-space-size=64'];
const NONE = 'no scrape';
const EVERY_SECOND = `${CLIENTS} scrapers, each once a second`;
const WITHOUT_PAUSE = `${CLIENTS} scrapers, each without a pause`;
const NOTE = `The whole service with ${WORKERS} workers, all its processes on one core; ${RATE} requests a second on ${CONNECTIONS} connections at a steady rate.
A latency counts from the moment when the request would have been sent, had its connection been free. The scrapes come from the process that makes the requests. Before, the scrapers ran without a pause for ${WARM_UP_SECONDS} s.`;

/** @typedef {{ latencies: number[], scrapes: number[] }} Slice  all in ms */

/**
 * Latency of requests without scrapers and with 50 of them.
 * @param {number} rounds
 */
export async function run(rounds) {
  const slices = await measure(rounds);
  const p99 = (/** @type {string} */ name) =>
    (slices[name] ?? []).map(({ latencies }) => quantile(latencies, 0.99));
  const rows = Object.entries(slices).map(([name, all]) => {
    const latencies = all.flatMap((slice) => slice.latencies);
    const scrapes = all.flatMap((slice) => slice.scrapes);
    return [
      name,
      quantile(latencies, 0.5),
      quantile(latencies, 0.99),
      median(p99(name)),
      ratio(p99(name), p99(NONE)).median,
      scrapes.length / (rounds * SECONDS),
      quantile(scrapes, 0.5),
      quantile(scrapes, 0.99),
    ];
  });
  const head = ['', 'request: p50 ms', 'p99, of all', 'p99, median of slices', 'p99 ÷ without'];
  const text = table([...head, 'scrapes/s', 'scrape: p50 ms', 'p99'], rows);
  const bars = [
    { what: `p99, ${EVERY_SECOND} ÷ none`, measured: ratio(p99(EVERY_SECOND), p99(NONE)).median, limit: 1.5 },
  ];
  return { title, text: `${NOTE}\n\n${text}`, bars };
}

/**
 * @param {number} rounds
 * @returns {Promise<Record<string, Slice[]>>}
 */
async function measure(rounds) {
  const { child: service, port } = await startService(WORKERS);
  const program = fileURLToPath(new URL('../harness/paced-load.mjs', import.meta.url));
  const args = [port, CONNECTIONS, RATE, CLIENTS].map(String);
  const load = startNode([...LOAD_OPTIONS, program, ...args], { core: LOAD_CORE });
  const slice = (/** @type {string | undefined} */ scrapes) => () => ask(load, { seconds: SECONDS, scrapes });
  try {
    await ask(load);
    await ask(load, { seconds: WARM_UP_SECONDS, scrapes: 'endless' });
    return await interleave(
      { [NONE]: slice(undefined), [EVERY_SECOND]: slice('paced'), [WITHOUT_PAUSE]: slice('endless') },
      rounds,
    );
  } finally {
    for (const child of [load, service]) await stop(child);
  }
}
