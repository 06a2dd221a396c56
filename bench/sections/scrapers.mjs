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
const NONE = 'no scrape';
const EVERY_SECOND = `${CLIENTS} scrapers, each once a second`;
const WITHOUT_PAUSE = `${CLIENTS} scrapers, each without a pause`;
const NOTE = `The whole service with ${WORKERS} workers, all its processes on one core; ${RATE} requests a second on ${CONNECTIONS} connections at a steady rate.
A latency counts from the moment when the request was due.`;

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
  const load = startNode([file('paced-load.mjs'), `${port}`, `${CONNECTIONS}`, `${RATE}`], {
    core: LOAD_CORE,
  });
  const scrapers = startNode([file('scrapers.mjs'), `${port}`, `${CLIENTS}`], { core: LOAD_CORE });
  try {
    await Promise.all([ask(load), ask(scrapers)]);
    await ask(load, { seconds: 5 });
    const during = (/** @type {number} */ everyMs) => async () => {
      const [latencies, scrapes] = await Promise.all([
        ask(load, { seconds: SECONDS }),
        ask(scrapers, { seconds: SECONDS, everyMs }),
      ]);
      return { latencies, scrapes };
    };
    return await interleave(
      {
        [NONE]: async () => ({ latencies: await ask(load, { seconds: SECONDS }), scrapes: [] }),
        [EVERY_SECOND]: during(1000),
        [WITHOUT_PAUSE]: during(0),
      },
      rounds,
    );
  } finally {
    for (const child of [load, scrapers, service]) await stop(child);
  }
}

/** @param {string} name */
function file(name) {
  return fileURLToPath(new URL(`../harness/${name}`, import.meta.url));
}
