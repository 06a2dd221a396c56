// @ts-check
import { availableParallelism, cpus, loadavg, release, type } from 'node:os';
import { LOAD_TOOL } from './load.mjs';
import { LOAD_CORE, SERVER_CORE } from './process.mjs';

/**
 * @typedef {{ what: string, measured: number, limit: number, atLeast?: boolean }} Bar  `limit` is an upper one unless `atLeast`
 */

/** @param {Bar} bar */
export function missed({ measured, limit, atLeast }) {
  // NaN is a miss, too.
  return atLeast ? !(measured >= limit) : !(measured <= limit);
}

/** @param {readonly Bar[]} bars */
export function barTable(bars) {
  const rows = bars.map((bar) => [
    bar.what,
    `${bar.atLeast ? '≥' : '≤'} ${bar.limit}`,
    bar.measured,
    missed(bar) ? '**missed**' : 'kept',
  ]);
  return table(['bar', 'limit', 'measured', ''], rows);
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

/** @param {number | null | undefined} value */
export function figure(value) {
  if (typeof value !== 'number' || !Number.isFinite(value)) return '–';
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
}

/**
 * Describes the conditions of the run: machine, versions, date, and whether something else ran beside it.
 * @param {number} rounds
 * @param {readonly string[]} versions  of what was compared
 */
export function conditions(rounds, versions) {
  const cores =
    SERVER_CORE === undefined
      ? 'server and load share the cores'
      : `server on core ${SERVER_CORE}, load on core ${LOAD_CORE}`;
  return [
    `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, ${type()} ${release()}`,
    [`Node ${process.version}`, ...versions].join(', '),
    `${rounds} rounds, load by ${LOAD_TOOL}, ${cores}`,
    `load average at the end ${loadavg()[0]?.toFixed(1)}`,
  ].join('; ');
}
