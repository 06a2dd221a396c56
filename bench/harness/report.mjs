// @ts-check
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { LOAD_TOOL } from './load.mjs';
import { LOAD_CORE, SERVER_CORE } from './process.mjs';

const FILE = fileURLToPath(new URL('../RESULTS.md', import.meta.url));
const INTRODUCTION = `# Results

Written by \`npm run bench\`. What is compared in a section ran in one go, in interleaved slices of about a second. CPU is the
time of all threads of the server process (for a service with workers: of all its processes) by the scheduler's account. A
ratio is the median of the ratios within each round, because the machine drifts from one round to the next; the ratio of the
floors stands beside it. A bar is judged by the median. What \`kill -9\` under load does to the counts is shown by
\`npm run test:faults\`, not here.
`;

/**
 * @typedef {{ what: string, measured: number, limit: number, atLeast?: boolean }} Bar  `limit` is an upper one unless `atLeast`
 * @typedef {{ key: string, title: string, text: string, bars: Bar[] }} Section  `text` is Markdown
 */

/** @param {Bar} bar */
export function missed({ measured, limit, atLeast }) {
  // Not a number is a miss too.
  return atLeast ? !(measured >= limit) : !(measured <= limit);
}

/**
 * A Markdown table; numbers get three significant digits, or all digits before the point.
 * @param {readonly string[]} head  the first column is text, the others are figures
 * @param {readonly (readonly (string | number)[])[]} rows
 */
export function table(head, rows) {
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

/** @param {readonly (string | number)[]} cells */
function line(cells) {
  return `| ${cells.map((cell) => (typeof cell === 'number' ? figure(cell) : cell)).join(' | ')} |`;
}

/** @param {number} value */
export function figure(value) {
  if (!Number.isFinite(value)) return '–';
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
}

/**
 * What a reader must know of the run: machine, versions, date, and whether something else ran beside it.
 * @param {number} rounds
 * @param {Record<string, string>} versions  of what was compared, by package
 */
export function conditions(rounds, versions) {
  const cores =
    SERVER_CORE === undefined
      ? 'server and load share the cores'
      : `server on core ${SERVER_CORE}, load on core ${LOAD_CORE}`;
  const compared = Object.entries(versions).map((entry) => entry.join(' '));
  return [
    `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, ${type()} ${release()}`,
    [`Node ${process.version}`, ...compared].join(', '),
    `${rounds} rounds, load by ${LOAD_TOOL}, ${cores}`,
    `load average at the end ${loadavg()[0]?.toFixed(1)}`,
  ].join('; ');
}

/**
 * Prints a section and puts it into RESULTS.md in place of its predecessor; the other sections stay.
 * @param {Section} section
 * @param {string} circumstances
 * @param {readonly string[]} order  the keys of all sections
 */
export function publish(section, circumstances, order) {
  const bars = section.bars.map((bar) => [
    bar.what,
    `${bar.atLeast ? '≥' : '≤'} ${bar.limit}`,
    bar.measured,
    missed(bar) ? '**missed**' : 'kept',
  ]);
  const parts = [`## ${section.title}`, circumstances, section.text];
  if (bars.length > 0) parts.push(table(['bar', 'limit', 'measured', ''], bars));
  const text = parts.join('\n\n');
  console.log(`\n${text}\n`);
  const sections = { ...readSections(), [section.key]: text };
  const kept = order
    .filter((key) => sections[key])
    .map((key) => `<!-- section ${key} -->\n\n${sections[key]}\n`);
  writeFileSync(FILE, [INTRODUCTION, ...kept].join('\n'));
}

/** @returns {Record<string, string>} */
function readSections() {
  if (!existsSync(FILE)) return {};
  const [, ...parts] = readFileSync(FILE, 'utf8').split(/^<!-- section (.+) -->$/m);
  return Object.fromEntries(
    parts.flatMap((key, i) => (i % 2 === 0 ? [[key, (parts[i + 1] ?? '').trim()]] : [])),
  );
}
