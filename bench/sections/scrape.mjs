// @ts-check
import { fileURLToPath } from 'node:url';
import { ask, LOAD_CORE, SERVER_CORE, startNode, stop } from '../harness/process.mjs';
import { table } from '../harness/report.mjs';
import { interleave } from '../harness/rounds.mjs';
import { highest, median, ratio } from '../harness/statistics.mjs';

export const title = 'Scrape cost';

/** @typedef {{ ms: number, cpu: number, block: number, samples: number }} Scrape */

const PROGRAM = fileURLToPath(new URL('../servers/scrape-primary.mjs', import.meta.url));
const WARM_UP = 5;
const HEAD = [
  'workers × routes',
  'ours: ms',
  'CPU ms',
  'block ms, median',
  'longest',
  'AggregatorRegistry: ms',
  'CPU ms',
  'block ms, median',
  'longest',
  'time, it ÷ ours',
  'CPU, it ÷ ours',
];
const NOTE = `The primary is alone on a core, its workers are on the other one. Every series changes between two scrapes. A scrape is
from the call to the text as bytes; CPU is the primary's. A block is the longest time between two looks of the primary at a 1 ms timer, without the time in which the
scheduler gave its core to something else: about 1 ms where nothing blocks.`;

/**
 * What a scrape costs the primary, beside prom-client's AggregatorRegistry with the same series.
 * @param {number} rounds
 */
export async function run(rounds) {
  const rows = [];
  const bars = [];
  for (const workers of [2, 4, 8]) {
    const costs = await scrapeCosts(workers, [10, 100, 1000], ['ours', 'prom-client'], rounds);
    for (const { routes, figures } of costs) {
      const { ours = [], 'prom-client': theirs = [] } = figures;
      const times = ratio(pick(theirs, 'ms'), pick(ours, 'ms')).median;
      const cpu = ratio(pick(theirs, 'cpu'), pick(ours, 'cpu')).median;
      rows.push([`${workers} × ${routes}`, ...summary(ours), ...summary(theirs), times, cpu]);
      if (workers < 8 || routes < 1000) continue;
      bars.push({
        what: '8 × 1,000, time, AggregatorRegistry ÷ ours',
        measured: times,
        limit: 25,
        atLeast: true,
      });
      bars.push({
        what: '8 × 1,000, CPU, AggregatorRegistry ÷ ours',
        measured: cpu,
        limit: 25,
        atLeast: true,
      });
      bars.push({ what: '8 × 1,000, longest block, ms', measured: highest(pick(ours, 'block')), limit: 10 });
    }
  }
  return { title, text: `${NOTE}\n\n${table(HEAD, rows)}`, bars };
}

/**
 * Scrapes of primaries of each flavour, which run at the same time, with more and more routes.
 * @param {number} workers
 * @param {readonly number[]} routeCounts  ascending
 * @param {readonly string[]} flavours
 * @param {number} rounds
 * @returns {Promise<{ routes: number, figures: Record<string, Scrape[]> }[]>}
 */
export async function scrapeCosts(workers, routeCounts, flavours, rounds) {
  const primaries = flavours.map((flavour) => ({
    flavour,
    child: startNode([PROGRAM, flavour, String(workers), String(LOAD_CORE ?? '')], { core: SERVER_CORE }),
  }));
  try {
    await Promise.all(primaries.map(({ child }) => ask(child)));
    const costs = [];
    for (const routes of routeCounts) {
      /** @type {Record<string, () => Promise<Scrape>>} */
      const measures = {};
      for (const { flavour, child } of primaries) {
        await ask(child, { type: 'routes', count: routes });
        for (let i = 0; i < WARM_UP; i++) await ask(child, { type: 'scrape' });
        measures[flavour] = () => ask(child, { type: 'scrape' });
      }
      costs.push({ routes, figures: await interleave(measures, rounds) });
    }
    return costs;
  } finally {
    for (const { child } of primaries) await stop(child);
  }
}

/**
 * @param {readonly Scrape[]} scrapes
 * @param {keyof Scrape} field
 */
function pick(scrapes, field) {
  return scrapes.map((scrape) => scrape[field]);
}

/** @param {readonly Scrape[]} scrapes */
function summary(scrapes) {
  const blocks = pick(scrapes, 'block');
  return [median(pick(scrapes, 'ms')), median(pick(scrapes, 'cpu')) / 1000, median(blocks), highest(blocks)];
}
