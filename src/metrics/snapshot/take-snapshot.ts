import { register, type Registry } from 'prom-client';
import { DurableCounter } from '../durable-counter.js';
import { rest } from '../event-loop-turns.js';
import type { RowData } from '../ledger/ledger-reader.js';
import type { Row } from '../request-metrics.js';
import type { Snapshot } from './snapshot.js';
import { Collection } from './collection.js';
import { startsOf } from './series-starts.js';
import { parse } from './snapshot-parser.js';
import { otherRegistries } from './other-registries.js';

/**
 * Milliseconds after which collecting pauses: all default metrics together take more than one, and
 * requests would have to wait.
 */
const SLICE_MS = 0.3;

/**
 * A metric from prom-client, not checked yet: label values can be anything, and a
 * custom metric can return anything.
 */
interface Collected {
  readonly name: string;
  readonly type: unknown;
  readonly values: readonly {
    readonly metricName?: string;
    readonly labels: object;
    readonly value: number;
    readonly start?: number;
  }[];
}

/**
 * Takes a snapshot of what no ledger of this process holds. A metric whose collection fails is left out.
 * @param own the service's own metrics: of a name that the registry has too, only they are shown
 */
export async function takeSnapshot(
  registry: Registry,
  memoryOnly: readonly Row[],
  own?: Registry,
): Promise<Snapshot> {
  return parse(await collect(registry, own), rowsOf(memoryOnly));
}

/**
 * Takes a snapshot of this process as text, for a `SnapshotReader` in another: a line of values that change,
 * and a line that mostly stays the same, so that it is parsed once.
 */
export async function snapshotText(
  registry: Registry,
  memoryOnly: readonly Row[],
  own?: Registry,
): Promise<string> {
  const metrics = await collect(registry, own);
  const rows = rowsOf(memoryOnly);
  try {
    return textOf(metrics, rows);
  } catch {
    // prom-client takes any label value, but JSON has no BigInt and no object that contains itself.
    return textOf(parse(metrics, rows).metrics, rows);
  }
}

function textOf(metrics: readonly Collected[], rows: readonly RowData[]): string {
  const numbers = metrics.map(({ values }) => values.map(({ value }) => inJson(value)));
  const series = metrics.map((metric) => ({
    ...metric,
    values: metric.values.map(({ metricName, labels, start }) => ({ metricName, labels, start })),
  }));
  return `${JSON.stringify({ numbers, rows })}\n${JSON.stringify(series)}`;
}

/** Returns an infinity as a text, which `parseMetric` reads: JSON has no number for it. */
function inJson(value: number): number | string {
  return value === Infinity || value === -Infinity ? String(value) : value;
}

function rowsOf(memoryOnly: readonly Row[]): RowData[] {
  return memoryOnly.map(({ labels, cells, detail }) => ({
    labels,
    cells: [...cells],
    detail: detail.toDetail(),
  }));
}

/**
 * Collects the metrics of a registry. Those of other packages' default registries belong to prom-client's,
 * but for names that this has.
 */
async function collect(registry: Registry, own?: Registry): Promise<Collected[]> {
  const names = new Set<string>();
  const collected = await collectAll(registry, names, own);
  if (registry !== register) return collected;
  for (const other of otherRegistries()) collected.push(...(await collectAll(other, names)));
  return collected;
}

/**
 * Collects a registry's metrics as its `getMetricsAsJSON` does, but with pauses, and without those that fail
 * or take too long. Durable counters get no default labels: they have none in the ledger.
 * @param names the names that were collected before, and are left out; those of the registry are added
 * @param own metrics that come before those of the registry, and get its default labels
 */
async function collectAll(registry: Registry, names: Set<string>, own?: Registry): Promise<Collected[]> {
  const time = Date.now();
  const collections: Collection[] = [];
  const unkept: Collected[] = [];
  let start = performance.now();
  for (const metric of metricsOf(own ? [own, registry] : [registry], names)) {
    const durable: unknown = metric;
    if (durable instanceof DurableCounter) unkept.push(durable.unkept());
    else collections.push(new Collection(metric));
    if (performance.now() - start < SLICE_MS) continue;
    await rest();
    start = performance.now();
  }
  const collected = await Collection.end(collections);
  // `getMetricsAsJSON` adds the registry's default labels, which no other method tells.
  const view: Registry = Object.create(registry, {
    getMetricsAsArray: { value: () => collected.map((one) => ({ get: () => one })) },
  });
  return startsOf(registry).mark([...(await view.getMetricsAsJSON()), ...unkept], time);
}

/** Lists metrics, the first of each name; those that have a name of `names` are left out. */
function* metricsOf(registries: readonly Registry[], names: Set<string>) {
  for (const registry of registries) {
    for (const { name: told } of registry.getMetricsAsArray()) {
      // The method `metrics` of a registry in OpenMetrics takes the end off the names of its counters.
      const name = registry.getSingleMetric(told) ? told : `${told}_total`;
      const metric = registry.getSingleMetric(name);
      if (metric && name !== told) Object.assign(metric, { name });
      if (metric && names.size < names.add(name).size) yield metric;
    }
  }
}
