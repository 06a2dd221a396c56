// @ts-check
import { fileURLToPath } from 'node:url';
import { ask, LOAD_CORE, SERVER_CORE, startNode, stop } from '../harness/process.mjs';
import { table } from '../harness/report.mjs';
import { interleave } from '../harness/rounds.mjs';
import { highest, median, ratio } from '../harness/statistics.mjs';

export const title = 'Scrape cost';

/** @typedef {{ ms: number, cpu: number, block: number, bytes: number }} Scrape */
/** @typedef {Record<string, { flavour: string, format?: string }>} Contestants */

const PROGRAM = fileURLToPath(new URL('../servers/scrape-primary.mjs', import.meta.url));
/** Scrapes until V8 has compiled what is hot, as in a service that has run for a few minutes. */
const WARM_UP = 15;
const OURS = 'ours, text';
const PROTOBUF = 'ours, protobuf';
const GZIP = 'ours, text and gzip';
const PROM_CLIENT = 'prom-client';
/** @type {Contestants} */
export const OUR_FORMATS = {
  [OURS]: { flavour: 'ours' },
  [PROTOBUF]: { flavour: 'ours', format: 'protobuf' },
  [GZIP]: { flavour: 'ours', format: 'gzip' },
};
/** @type {Contestants} */
const CONTESTANTS = { ...OUR_FORMATS, [PROM_CLIENT]: { flavour: 'prom-client' } };
if (!process.versions.node.startsWith('20.'))
  CONTESTANTS['@prometheus-io/client'] = { flavour: '@prometheus-io/client' };
const NOTE = `The primary is alone on a core, its workers are on the other one. Every series changes between two scrapes. A scrape is
from the call to its bytes; CPU is the primary's, gzip's thread included. A block is the longest time between two looks of the primary at a 1 ms timer, without the time in which the
scheduler gave its core to something else: about 1 ms where nothing blocks. The others are the \`AggregatorRegistry\` of each package.`;

/**
 * Measures the cost of a scrape in the primary, beside other AggregatorRegistries with the same series.
 * @param {number} rounds
 */
export async function run(rounds) {
  const texts = [NOTE];
  /** @type {Record<string, Scrape[]>} */
  let largest = {};
  for (const workers of [2, 8]) {
    for (const { routes, figures } of await scrapeCosts(workers, [10, 100, 1000], CONTESTANTS, rounds)) {
      texts.push(`**${workers} workers × ${routes} routes**\n\n${comparison(figures)}`);
      largest = figures;
    }
  }
  const {
    [OURS]: ours = [],
    [PROTOBUF]: protobuf = [],
    [GZIP]: zipped = [],
    [PROM_CLIENT]: theirs = [],
  } = largest;
  return {
    title,
    text: texts.join('\n\n'),
    bars: [
      bar('time, prom-client ÷ ours', ratio(pick(theirs, 'ms'), pick(ours, 'ms')).median, 25, true),
      bar('CPU, prom-client ÷ ours', ratio(pick(theirs, 'cpu'), pick(ours, 'cpu')).median, 25, true),
      bar('text, ms', median(pick(ours, 'ms')), 16),
      bar('longest block of text, ms', highest(pick(ours, 'block')), 10),
      bar('protobuf, ms', median(pick(protobuf, 'ms')), 60),
      bar('block of protobuf, ms', median(pick(protobuf, 'block')), 5),
      bar('text and gzip ÷ text', ratio(pick(zipped, 'ms'), pick(ours, 'ms')).median, 2),
      bar('block of gzip ÷ of text', ratio(pick(zipped, 'block'), pick(ours, 'block')).median, 1.1),
    ],
    headline: [
      {
        what: 'scrape of 8 workers × 1,000 routes',
        unit: 'ms',
        figures: [median(pick(ours, 'ms')), null, median(pick(theirs, 'ms')), null],
      },
    ],
  };
}

/**
 * @param {string} what  of the largest
 * @param {number} measured
 * @param {number} limit
 * @param {boolean} [atLeast]
 */
function bar(what, measured, limit, atLeast = false) {
  return { what: `8 × 1,000, ${what}`, measured, limit, atLeast };
}

/** @param {Record<string, Scrape[]>} figures */
function comparison(figures) {
  const ours = figures[OURS] ?? [];
  const rows = Object.entries(figures).map(([name, scrapes]) => {
    const blocks = pick(scrapes, 'block');
    return [
      name,
      median(pick(scrapes, 'bytes')),
      median(pick(scrapes, 'ms')),
      median(pick(scrapes, 'cpu')) / 1000,
      median(blocks),
      highest(blocks),
      ratio(pick(scrapes, 'ms'), pick(ours, 'ms')).median,
      ratio(pick(scrapes, 'cpu'), pick(ours, 'cpu')).median,
    ];
  });
  return table(
    ['', 'bytes', 'ms', 'CPU ms', 'block ms, median', 'longest', 'time ÷ ours', 'CPU ÷ ours'],
    rows,
  );
}

/**
 * Scrapes of a primary for each contestant, all at the same time, with more and more routes. A format has a primary of its
 * own: a scrape in one leaves garbage that the next one, in another, would be charged with.
 * @param {number} workers
 * @param {readonly number[]} routeCounts  ascending
 * @param {Contestants} contestants
 * @param {number} rounds
 * @returns {Promise<{ routes: number, figures: Record<string, Scrape[]> }[]>}
 */
export async function scrapeCosts(workers, routeCounts, contestants, rounds) {
  const started = Object.entries(contestants).map(([name, { flavour, format }]) => {
    const args = [PROGRAM, flavour, String(workers), String(LOAD_CORE ?? '')];
    return { name, format, child: startNode(args, { core: SERVER_CORE }) };
  });
  try {
    for (const { child } of started) await ask(child);
    const costs = [];
    for (const routes of routeCounts) {
      for (const { child } of started) await ask(child, { type: 'routes', count: routes });
      /** @type {Record<string, () => Promise<Scrape>>} */
      const measures = {};
      for (const { name, format, child } of started) {
        measures[name] = () => ask(child, { type: 'scrape', format });
        for (let i = 0; i < WARM_UP; i++) await measures[name]?.();
      }
      costs.push({ routes, figures: await interleave(measures, rounds) });
    }
    return costs;
  } finally {
    for (const { child } of started) await stop(child);
  }
}

/**
 * @param {readonly Scrape[]} scrapes
 * @param {keyof Scrape} field
 */
function pick(scrapes, field) {
  return scrapes.map((scrape) => scrape[field]);
}
