import { Slices } from '../event-loop-turns.js';
import { SERVICE_METRICS } from '../metric-catalogue.js';
import { NATIVE_CELLS, nativeBuckets } from '../native-buckets.js';
import type { Labels } from '../snapshot/snapshot.js';
import type { Family, Metric, RequestCounts } from '../aggregation/families.js';
import type { Gathered, Renderer } from './gathered.js';
import * as encoder from './metric-encoder.js';
import { TextBuffer } from './text-buffer.js';

/** The protobuf format's media type. */
export const PROTOBUF_TYPE =
  'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';

/** The native counts of an empty histogram. */
const NOTHING = new Float64Array(NATIVE_CELLS);

/**
 * Renders Prometheus's protobuf format: one `MetricFamily` after the other, each preceded by its length. It
 * has everything that the text has, and start times, native histograms and exemplars.
 */
export class ProtobufRenderer implements Renderer {
  readonly #countName: string;
  readonly #latencyName: string;
  readonly #bounds: readonly number[];
  /** Encoded labels: of each row, of each group, and of all other metrics. */
  readonly #rows: Uint8Array[] = [];
  readonly #groups: Uint8Array[] = [];
  readonly #labels = new WeakMap<Labels, Uint8Array>();
  /** Rendered families by their list, as long as the list is that of the last gathering. */
  readonly #known = new WeakMap<readonly Family[], Uint8Array>();

  constructor(prefix: string, buckets: readonly number[]) {
    this.#countName = prefix + SERVICE_METRICS.requestCount.name;
    this.#latencyName = prefix + SERVICE_METRICS.requestLatency.name;
    this.#bounds = [...buckets, Infinity];
  }

  async render({ requests, others }: Gathered): Promise<Buffer> {
    const slices = await Slices.begin();
    const all = new TextBuffer();
    await this.#renderCounter(requests, all, slices);
    await this.#renderHistogram(requests, all, slices);
    for (const families of await others) all.appendBytes(await this.#families(families));
    return all.bytes;
  }

  async #renderCounter(
    { rows, counts, details }: RequestCounts,
    all: TextBuffer,
    slices: Slices,
  ): Promise<void> {
    const { type, help } = SERVICE_METRICS.requestCount;
    const family = new FamilyWriter(this.#countName, help, type);
    for (const [i, { method, endpoint, status }] of rows.entries()) {
      const labels = (this.#rows[i] ??= encoder.encodeLabels({ method, endpoint, http_status: status }));
      family.append(labels, encoder.encodeCounter(counts[i]!, known(details?.starts[i])));
      if (slices.over) await slices.next();
    }
    family.end(all);
  }

  async #renderHistogram(requests: RequestCounts, all: TextBuffer, slices: Slices): Promise<void> {
    const { type, help } = SERVICE_METRICS.requestLatency;
    const family = new FamilyWriter(this.#latencyName, help, type);
    for (const [i, { method, endpoint }] of requests.groups.entries()) {
      const labels = (this.#groups[i] ??= encoder.encodeLabels({ method, endpoint }));
      family.append(labels, encoder.encodeHistogram(this.#histogram(requests, i)));
      if (slices.over) await slices.next();
    }
    family.end(all);
  }

  #histogram({ histograms, details }: RequestCounts, group: number) {
    const width = this.#bounds.length + 1;
    const cells = histograms.subarray(group * width, (group + 1) * width);
    const { native, exemplars = [], start } = details?.groups[group] ?? {};
    let count = 0;
    const buckets = this.#bounds.map((bound, i) => ({
      bound,
      count: (count += cells[i]!),
      exemplar: exemplars[i],
    }));
    return {
      count,
      sum: cells[width - 1]!,
      buckets,
      native: native && nativeBuckets(count === 0 ? NOTHING : native),
      start: known(start),
    };
  }

  async #families(families: readonly Family[]): Promise<Uint8Array> {
    const rendered = this.#known.get(families);
    if (rendered) return rendered;
    const slices = await Slices.begin();
    const all = new TextBuffer();
    for (const { name, help, type, metrics } of families) {
      const family = new FamilyWriter(name, help, type);
      for (const metric of metrics) family.append(this.#labelsOf(metric), encode(type, metric));
      family.end(all);
      if (slices.over) await slices.next();
    }
    this.#known.set(families, all.bytes);
    return all.bytes;
  }

  #labelsOf({ labels }: Metric): Uint8Array {
    let encoded = this.#labels.get(labels);
    if (!encoded) this.#labels.set(labels, (encoded = encoder.encodeLabels(labels)));
    return encoded;
  }
}

/** Puts a family together metric by metric. Its length, which comes first, is known at the end. */
class FamilyWriter {
  readonly #content = new TextBuffer();

  constructor(name: string, help: string, type: Family['type']) {
    this.#content.appendBytes(encoder.encodeHead(name, help, type));
  }

  append(labels: Uint8Array, value: Uint8Array): void {
    this.#content.appendBytes(encoder.encodeMetricLength(labels.length + value.length));
    this.#content.appendBytes(labels);
    this.#content.appendBytes(value);
  }

  end(all: TextBuffer): void {
    all.appendBytes(encoder.encodeLength(this.#content.length));
    all.appendBytes(this.#content.bytes);
  }
}

function encode(type: Family['type'], { samples, start }: Metric): Uint8Array {
  const valueOf = (part: string): number => samples.find(({ series }) => series.part === part)?.value ?? 0;
  if (type === 'counter') return encoder.encodeCounter(valueOf('value'), start);
  if (type === 'summary') return encoder.encodeSummary(valueOf('count'), valueOf('sum'), start);
  if (type !== 'histogram') return encoder.encodeGauge(type, valueOf('value'));
  const buckets = samples
    .filter(({ series }) => series.part === 'bucket')
    .map(({ series: { bound }, value }) => ({ bound, count: value }));
  return encoder.encodeHistogram({ count: valueOf('count'), sum: valueOf('sum'), buckets, start });
}

function known(time = NaN): number | undefined {
  return Number.isNaN(time) ? undefined : time;
}
