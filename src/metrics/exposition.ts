import { setImmediate } from 'node:timers/promises';
import { cellsPerRow } from './ledger-format.js';
import type { RowLabels } from './request-metrics.js';
import { SERVICE_METRICS } from './service-metrics.js';
import { TextBuffer } from './text-buffer.js';

/** Of everything that this service exposes: Prometheus text format 0.0.4. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** A thread is not kept for longer at a time while it renders. */
const SLICE_MS = 2;

/** The lines that begin a family, with its last line feed. */
export function familyHeader(name: string, help: string, type: string): string {
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
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

/** The families as one exposition, the way prom-client joins them. Appending copies nothing; joining an array would. */
export function joinFamilies(families: readonly string[]): string {
  return families.reduce((text, family) => `${text}\n${family}`);
}

/** The family that says how many workers a scrape had to do without. */
export function missingWorkers(prefix: string, count: number): string {
  const { name, help, type } = SERVICE_METRICS.scrapeWorkersMissing;
  return `${familyHeader(prefix + name, help, type)}${prefix}${name} ${count}\n`;
}

/** Gives the event loop back as soon as a piece of work took long. */
export class Slices {
  #start = performance.now();
  #calls = 0;

  /** To be asked after each small step. Only every 16th looks at the clock. */
  get over(): boolean {
    return (++this.#calls & 15) === 0 && performance.now() - this.#start > SLICE_MS;
  }

  async next(): Promise<void> {
    await setImmediate();
    this.#start = performance.now();
  }
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
  readonly #text = new TextBuffer();

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
   * Renders the cells of rows, one row after the other. One rendering at a time; its cells must not change. A row that is added
   * meanwhile has none, and is left to the next rendering.
   */
  async render(cells: Float64Array): Promise<string> {
    const slices = new Slices();
    this.#text.clear();
    await this.#renderCounter(cells, slices);
    this.#text.append('\n');
    await this.#renderHistogram(cells, slices);
    return this.#text.toString();
  }

  async #renderCounter(cells: Float64Array, slices: Slices): Promise<void> {
    const { help, type } = SERVICE_METRICS.requestCount;
    this.#text.append(familyHeader(this.#countName, help, type));
    const rows = cells.length / this.#width;
    for (const [row, line] of this.#counters.entries()) {
      if (row >= rows) return;
      let count = 0;
      const end = (row + 1) * this.#width - 1;
      for (let i = row * this.#width; i < end; i++) count += cells[i]!;
      this.#text.appendLine(line, count);
      if (slices.over) await slices.next();
    }
  }

  async #renderHistogram(cells: Float64Array, slices: Slices): Promise<void> {
    const { help, type } = SERVICE_METRICS.requestLatency;
    this.#text.append(familyHeader(this.#latencyName, help, type));
    const sums = new Float64Array(this.#width);
    const rows = cells.length / this.#width;
    for (const group of this.#groups.values()) {
      if (group.rows[0]! >= rows) return;
      this.#sum(group, cells, sums);
      this.#appendGroup(group, sums);
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

  #appendGroup({ lines }: Group, sums: Float64Array): void {
    const buckets = sums.length - 1;
    let count = 0;
    for (let i = 0; i < buckets; i++) {
      count += sums[i]!;
      this.#text.appendLine(lines[i]!, count);
    }
    this.#text.appendLine(lines[buckets]!, sums[buckets]!);
    this.#text.appendLine(lines[buckets + 1]!, count);
  }
}
