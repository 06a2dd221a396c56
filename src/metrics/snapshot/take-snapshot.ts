import type { Registry } from 'prom-client';
import { rest } from '../event-loop-turns.js';
import type { RowData } from '../ledger/ledger-reader.js';
import type { Row } from '../request-metrics.js';
import type { Snapshot } from './snapshot.js';
import { startsOf } from './series-starts.js';
import { parse } from './snapshot-parser.js';

/** All default metrics together take a process more than a millisecond; requests have their turn in between. */
const SLICE_MS = 0.3;

/** What prom-client gives. It is not checked yet: label values can be anything, and a custom metric can give anything. */
interface Collected {
  readonly values: readonly {
    readonly metricName?: string;
    readonly labels: object;
    readonly value: number;
    readonly start?: number;
  }[];
}

/** Takes a snapshot of this process. A metric whose collection fails is left out, the others are there. */
export async function takeSnapshot(registry: Registry, memoryOnly: readonly Row[]): Promise<Snapshot> {
  return parse(await collect(registry), rowsOf(memoryOnly));
}

/**
 * What a process says of itself, for a `SnapshotReader` of another: a line of what changes, and one of what mostly stays as it
 * is, so that it is read once.
 */
export async function snapshotText(registry: Registry, memoryOnly: readonly Row[]): Promise<string> {
  const metrics = await collect(registry);
  const rows = rowsOf(memoryOnly);
  try {
    return textOf(metrics, rows);
  } catch {
    // prom-client takes any label value, but JSON has no BigInt, and nothing that holds itself.
    return textOf(parse(metrics, rows).metrics, rows);
  }
}

function textOf(metrics: readonly Collected[], rows: readonly RowData[]): string {
  const numbers = metrics.map(({ values }) => values.map(({ value }) => value));
  const series = metrics.map((metric) => ({
    ...metric,
    values: metric.values.map(({ metricName, labels, start }) => ({ metricName, labels, start })),
  }));
  return `${JSON.stringify({ numbers, rows })}\n${JSON.stringify(series)}`;
}

function rowsOf(memoryOnly: readonly Row[]): RowData[] {
  return memoryOnly.map(({ labels, cells, detail }) => ({
    labels,
    cells: [...cells],
    detail: detail.toDetail(),
  }));
}

/** What the registry's `getMetricsAsJSON` gives, less what fails, and begun bit by bit. */
async function collect(registry: Registry): Promise<Collected[]> {
  const time = Date.now();
  const pending: Promise<object | undefined>[] = [];
  let start = performance.now();
  for (const { name } of registry.getMetricsAsArray()) {
    pending.push(collectOne(registry, name));
    if (performance.now() - start < SLICE_MS) continue;
    await rest();
    start = performance.now();
  }
  const collected = (await Promise.all(pending)).filter((one) => one !== undefined);
  // It adds the registry's default labels, which nothing else tells.
  const view: Registry = Object.create(registry, {
    getMetricsAsArray: { value: () => collected.map((one) => ({ get: () => one })) },
  });
  return startsOf(registry).mark(await view.getMetricsAsJSON(), time);
}

async function collectOne(registry: Registry, name: string): Promise<object | undefined> {
  try {
    return await registry.getSingleMetric(name)?.get();
  } catch {
    return undefined;
  }
}
