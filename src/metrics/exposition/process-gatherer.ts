import type { Registry } from 'prom-client';
import { Slices } from '../event-loop-turns.js';
import { ownSeries } from '../metric-catalogue.js';
import type { RequestMetrics } from '../request-metrics.js';
import { takeSnapshot } from '../snapshot/take-snapshot.js';
import { Aggregation, Source } from './aggregation.js';
import { type Gatherer, SharedGatherer } from './gatherer.js';
import { monotonicTime } from './monotonic-time.js';

/** Gathers the metrics of a service that is this one process: serverless, an app in a test. */
export function processGatherer(prefix: string, metrics: RequestMetrics, registry: Registry): Gatherer {
  const { buckets } = metrics;
  const aggregation = new Aggregation({ buckets, reserved: ownSeries(prefix) });
  const source = new Source(0);
  return new SharedGatherer({ prefix, buckets }, async () => {
    const asOf = monotonicTime();
    const snapshot = await takeSnapshot(registry, metrics.rows);
    const slices = await Slices.begin();
    aggregation.read(source, snapshot);
    const requests = await aggregation.requests(slices);
    const others = aggregation.families([{ snapshot }], slices).then((families) => [families]);
    return { asOf, requests, others };
  });
}
