import { cellsPerRow } from '../ledger/ledger-format.js';
import type { RowLabels } from '../request-metrics.js';
import { SERVICE_METRICS } from '../service-metrics.js';
import type { Slices } from './slices.js';
import type { TextBuffer } from './text-buffer.js';

/** Of everything that this service exposes: Prometheus text format 0.0.4. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Appends the lines that a family begins with, after an empty one where it is not the first, as prom-client does. */
export function beginFamily(text: TextBuffer, name: string, help: string, type: string): void {
  if (text.length > 0) text.append('\n');
  text.append(`# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`);
}

/** `{a="x",b="y"}`, or nothing without labels. Only strings are escaped, as numbers need none. */
export function labelText(labels: Iterable<readonly [string, string | number]>): string {
  const parts: string[] = [];
  for (const [name, value] of labels) parts.push(`${name}="${escapeLabel(String(value))}"`);
  return parts.length > 0 ? `{${parts.join(',')}}` : '';
}

/** The same for the same labels, whatever their order. */
export function labelKey(labels: Readonly<Record<string, string | number>>): string {
  return labelText(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function escapeLabel(value: string): string {
  return escapeHelp(value).replaceAll('"', '\\"');
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

/** Appends the family that says how many workers a scrape had to do without. */
export function appendMissingWorkers(text: TextBuffer, prefix: string, count: number): void {
  const { name, help, type } = SERVICE_METRICS.scrapeWorkersMissing;
  beginFamily(text, prefix + name, help, type);
  text.append(`${prefix}${name} ${count}\n`);
}

/** A (method, endpoint): one histogram of the rows of all its statuses. */
interface Group {
  /** What stands before the value, line by line: the buckets, the sum, the count. */
  readonly lines: readonly Uint8Array[];
  readonly rows: number[];
}

/**
 * The text of the two request metrics. Whatever of a line does not change is made once, when its row is added; a
 * rendering only puts numbers between. The output is what prom-client 15 prints for the same values.
 */
export class RequestText {
  readonly #width: number;
  readonly #countName: string;
  readonly #latencyName: string;
  /** `le="…"` of each bucket. */
  readonly #bounds: readonly string[];
  readonly #counters: Uint8Array[] = [];
  readonly #groups = new Map<string, Group>();

  constructor(prefix: string, buckets: readonly number[]) {
    this.#width = cellsPerRow(buckets);
    this.#countName = prefix + SERVICE_METRICS.requestCount.name;
    this.#latencyName = prefix + SERVICE_METRICS.requestLatency.name;
    this.#bounds = [...buckets, '+Inf'].map((bound) => `le="${bound}"`);
  }

  /** Adds the next row. */
  add({ method, endpoint, status }: RowLabels): void {
    const shared = labelText([
      ['method', method],
      ['endpoint', endpoint],
    ]);
    const row = this.#counters.length;
    this.#counters.push(Buffer.from(`${this.#countName}${shared.slice(0, -1)},http_status="${status}"} `));
    const group = this.#groups.get(shared);
    if (group) group.rows.push(row);
    else this.#groups.set(shared, { lines: this.#lines(shared), rows: [row] });
  }

  #lines(shared: string): Uint8Array[] {
    const name = this.#latencyName;
    const buckets = this.#bounds.map((bound) => `${name}_bucket{${bound},${shared.slice(1)} `);
    return [...buckets, `${name}_sum${shared} `, `${name}_count${shared} `].map((line) => Buffer.from(line));
  }

  /**
   * Appends the cells of rows, one row after the other, which must not change meanwhile. A row that is added meanwhile has
   * none, and is left to the next rendering.
   */
  async render(cells: Float64Array, text: TextBuffer, slices: Slices): Promise<void> {
    await this.#renderCounter(cells, text, slices);
    await this.#renderHistogram(cells, text, slices);
  }

  async #renderCounter(cells: Float64Array, text: TextBuffer, slices: Slices): Promise<void> {
    const { help, type } = SERVICE_METRICS.requestCount;
    beginFamily(text, this.#countName, help, type);
    const rows = cells.length / this.#width;
    for (const [row, line] of this.#counters.entries()) {
      if (row >= rows) return;
      let count = 0;
      const end = (row + 1) * this.#width - 1;
      for (let i = row * this.#width; i < end; i++) count += cells[i]!;
      text.appendLine(line, count);
      if (slices.over) await slices.next();
    }
  }

  async #renderHistogram(cells: Float64Array, text: TextBuffer, slices: Slices): Promise<void> {
    const { help, type } = SERVICE_METRICS.requestLatency;
    beginFamily(text, this.#latencyName, help, type);
    const sums = new Float64Array(this.#width);
    const rows = cells.length / this.#width;
    for (const group of this.#groups.values()) {
      if (group.rows[0]! >= rows) return;
      this.#sum(group, cells, sums);
      appendGroup(group, sums, text);
      if (slices.over) await slices.next();
    }
  }

  #sum({ rows }: Group, cells: Float64Array, sums: Float64Array): void {
    sums.fill(0);
    for (const row of rows) {
      const start = row * this.#width;
      if (start >= cells.length) return;
      for (let i = 0; i < sums.length; i++) sums[i]! += cells[start + i]!;
    }
  }
}

function appendGroup({ lines }: Group, sums: Float64Array, text: TextBuffer): void {
  const buckets = sums.length - 1;
  let count = 0;
  for (let i = 0; i < buckets; i++) {
    count += sums[i]!;
    text.appendLine(lines[i]!, count);
  }
  text.appendLine(lines[buckets]!, sums[buckets]!);
  text.appendLine(lines[buckets + 1]!, count);
}
