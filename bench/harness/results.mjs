// @ts-check
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { picture } from './picture.mjs';
import { barTable, table } from './report.mjs';

const file = (/** @type {string} */ name) => new URL(`../${name}`, import.meta.url);
/** The contestants in the first table of RESULTS.md. */
export const PEERS = ['this service', 'Fastify', 'Koa', 'Express'];
const NOTE = `CPU time is µs a request, less is better; each of the four validates what comes in and counts for Prometheus: this service as
\`npm start\` runs it, Fastify with schemas and fastify-metrics, Koa with @koa/router, koa-bodyparser, ajv and prom-client, Express with
express-openapi-validator and express-prom-bundle.`;
const METHOD = `Written by \`npm run bench\`. What is compared in a section ran in one go, in interleaved slices of about a second. CPU is the
time of all threads of the server process (for a service with workers: of all its processes) by the scheduler's account. The floor
is the best round: what a busy machine disturbs least. A ratio is the median of the ratios within each round, because the machine
drifts from one round to the next; the ratio of the floors stands beside it. A bar is judged by the median. What \`kill -9\` under
load does to the counts is shown by \`npm run test:faults\`, not here.`;

/**
 * @typedef {{ what: string, unit: string, figures: (number | null)[] }} Headline  the figures of PEERS, `null` where there is none
 * @typedef {{ title: string, text: string, bars: import('./report.mjs').Bar[], conditions: string, headline?: Headline[] }} Section
 *   `text` is Markdown
 * @typedef {Record<string, Record<string, Section>>} Results  by key of the section and major version of Node
 */

/**
 * Prints a section and puts it into results.json in place of its predecessor, and makes RESULTS.md and the picture of what is there.
 * @param {readonly string[]} order  the keys of all sections
 * @param {string} key
 * @param {string} node  major version
 * @param {Section} section
 */
export function publish(order, key, node, section) {
  console.log(`\n## ${section.title}\n\n${render(section)}\n`);
  /** @type {Results} */
  const before = existsSync(file('results.json'))
    ? JSON.parse(readFileSync(file('results.json'), 'utf8'))
    : {};
  const results = { ...before, [key]: { ...before[key], [node]: section } };
  const kept = Object.fromEntries(order.flatMap((name) => (results[name] ? [[name, results[name]]] : [])));
  writeFileSync(file('results.json'), `${JSON.stringify(kept, null, 1)}\n`);
  writeFileSync(file('RESULTS.md'), document(kept));
  const api = newest(kept['api'] ?? {});
  if (api) writeFileSync(file('results.svg'), picture(PEERS, api.headline ?? [], api.node));
}

/** @param {Results} results */
function document(results) {
  const all = Object.values(results);
  const headlines = all.flatMap((byNode) => newest(byNode)?.headline ?? []);
  const rows = headlines.map(({ what, unit, figures }) => [
    `${what}, ${unit}`,
    ...figures.map((value) => value ?? ''),
  ]);
  const node = newest(all[0] ?? {})?.node;
  const parts = ['# Results', `On Node ${node}:`, table(['', ...PEERS], rows), NOTE];
  parts.push('![CPU time a request](results.svg)', METHOD);
  for (const byNode of all) {
    const versions = descending(byNode);
    parts.push(`## ${versions[0]?.[1].title}`);
    for (const [major, section] of versions) parts.push(`### Node ${major}`, render(section));
  }
  return `${parts.join('\n\n')}\n`;
}

/** @param {Section} section */
function render({ text, bars, conditions }) {
  return [conditions, text, ...(bars.length > 0 ? [barTable(bars)] : [])].join('\n\n');
}

/** @param {Record<string, Section>} byNode */
function newest(byNode) {
  const [first] = descending(byNode);
  return first && { node: first[0], ...first[1] };
}

/** @param {Record<string, Section>} byNode */
function descending(byNode) {
  return Object.entries(byNode).toSorted(([a], [b]) => Number(b) - Number(a));
}
