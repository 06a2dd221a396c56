import { Slices } from '../event-loop-turns.js';
import { SERVICE_METRICS } from '../metric-catalogue.js';
import { escapeHelp, labelText } from '../snapshot/label-text.js';
import type { Family, RequestCounts, RequestGroup, RequestRow } from '../aggregation/families.js';
import type { Gathered, Renderer } from './gathered.js';
import { TextBuffer } from './text-buffer.js';

/** The text format's media type: Prometheus text format 0.0.4. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * Renders Prometheus's text format 0.0.4, as prom-client 15 prints the same values. The fixed part of a line
 * is made once, when its row is new; a rendering only inserts the numbers.
 */
export class TextRenderer implements Renderer {
  readonly #countName: string;
  readonly #latencyName: string;
  /** The label `le="…"` of each bucket. */
  readonly #bounds: readonly string[];
  /** The texts before the values: the counter of each row; the buckets, sum and count of each group. */
  readonly #counters: Uint8Array[] = [];
  readonly #histograms: (readonly Uint8Array[])[] = [];
  /** Rendered families by their list, as long as the list is that of the last gathering. */
  readonly #known = new WeakMap<readonly Family[], Uint8Array>();
  /** The number of bytes of the last rendering. */
  #length = 0;

  constructor(prefix: string, buckets: readonly number[]) {
    this.#countName = prefix + SERVICE_METRICS.requestCount.name;
    this.#latencyName = prefix + SERVICE_METRICS.requestLatency.name;
    this.#bounds = [...buckets, '+Inf'].map((bound) => `le="${bound}"`);
  }

  async render({ requests, others }: Gathered): Promise<Buffer> {
    const slices = await Slices.begin();
    // An exposition grows by a few digits from one scrape to the next.
    const text = new TextBuffer(1.1 * this.#length);
    await this.#renderCounter(requests, text, slices);
    await this.#renderHistogram(requests, text, slices);
    for (const families of await others) text.appendBytes(await this.#families(families));
    this.#length = text.length;
    return text.bytes;
  }

  async #renderCounter({ rows, counts }: RequestCounts, text: TextBuffer, slices: Slices): Promise<void> {
    text.append(head(this.#countName, SERVICE_METRICS.requestCount));
    for (const [i, row] of rows.entries()) {
      text.appendLine((this.#counters[i] ??= this.#counterLine(row)), counts[i]!);
      if (slices.over) await slices.next();
    }
  }

  async #renderHistogram(requests: RequestCounts, text: TextBuffer, slices: Slices): Promise<void> {
    const { groups, histograms } = requests;
    const width = this.#bounds.length + 1;
    text.append(`\n${head(this.#latencyName, SERVICE_METRICS.requestLatency)}`);
    for (const [i, group] of groups.entries()) {
      const lines = (this.#histograms[i] ??= this.#histogramLines(group));
      appendHistogram(lines, histograms.subarray(i * width, (i + 1) * width), text);
      if (slices.over) await slices.next();
    }
  }

  #counterLine({ method, endpoint, status }: RequestRow): Uint8Array {
    const shared = groupLabels(method, endpoint);
    return Buffer.from(`${this.#countName}${shared.slice(0, -1)},http_status="${status}"} `);
  }

  #histogramLines({ method, endpoint }: RequestGroup): Uint8Array[] {
    const shared = groupLabels(method, endpoint);
    const name = this.#latencyName;
    const buckets = this.#bounds.map((bound) => `${name}_bucket{${bound},${shared.slice(1)} `);
    return [...buckets, `${name}_sum${shared} `, `${name}_count${shared} `].map((line) => Buffer.from(line));
  }

  async #families(families: readonly Family[]): Promise<Uint8Array> {
    const known = this.#known.get(families);
    if (known) return known;
    const slices = await Slices.begin();
    const text = new TextBuffer();
    for (const family of families) {
      text.append(`\n${head(family.name, family)}${linesOf(family)}`);
      if (slices.over) await slices.next();
    }
    this.#known.set(families, text.bytes);
    return text.bytes;
  }
}

/** Writes the first lines of a family. */
function head(name: string, { help, type }: Pick<Family, 'help' | 'type'>): string {
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
}

function linesOf({ metrics }: Family): string {
  let text = '';
  for (const { samples } of metrics) {
    for (const { series, value } of samples) text += `${series.text} ${numberText(value)}\n`;
  }
  return text;
}

/** Prints a number as the format has it: the infinities have signs and are cut short. */
function numberText(value: number): string {
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : '-Inf';
}

function groupLabels(method: string, endpoint: string): string {
  return labelText([
    ['method', method],
    ['endpoint', endpoint],
  ]);
}

function appendHistogram(lines: readonly Uint8Array[], cells: Float64Array, text: TextBuffer): void {
  const buckets = cells.length - 1;
  let count = 0;
  for (let i = 0; i < buckets; i++) {
    count += cells[i]!;
    text.appendLine(lines[i]!, count);
  }
  text.appendLine(lines[buckets]!, cells[buckets]!);
  text.appendLine(lines[buckets + 1]!, count);
}
