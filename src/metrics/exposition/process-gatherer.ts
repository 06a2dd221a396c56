import type { Registry } from 'prom-client';
import { Slices } from '../event-loop-turns.js';
import { ownSeries } from '../metric-catalogue.js';
import type { RequestMetrics } from '../request-metrics.js';
import { takeSnapshot } from '../snapshot/take-snapshot.js';
import { Aggregation, Source } from '../aggregation/aggregation.js';
import { type Gatherer, SharedGatherer } from './gatherer.js';
import { monotonicTime } from './monotonic-time.js';

/**
 * Gathers the metrics of a service that is this one process: serverless, an app in a test.
 * @param own the service's own metrics, as in `takeSnapshot`
 */
export function processGatherer(
  prefix: string,
  metrics: RequestMetrics,
  registry: Registry,
  own?: Registry,
): Gatherer {
  const { buckets } = metrics;
  const aggregation = new Aggregation({ buckets, reserved: ownSeries(prefix) });
  const source = new Source(0);
  const began = Math.floor(performance.timeOrigin);
  let foreseen = 0;
  return new SharedGatherer({ prefix, buckets }, async (detailed) => {
    const asOf = monotonicTime();
    const snapshot = await takeSnapshot(registry, [], own);
    const slices = await Slices.begin();
    aggregation.foresee(metrics.foreseen.slice(foreseen), began);
    foreseen = metrics.foreseen.length;
    aggregation.read(source, snapshot);
    for (const { labels, cells, detail } of metrics.rows) {
      const row = aggregation.rowOf(labels);
      aggregation.readRow(source, row, cells);
      if (detailed) aggregation.readDetail(source, row, detail.words);
    }
    const requests = await aggregation.requests(slices, detailed);
    const others = Promise.all([aggregation.families([{ snapshot }], slices), aggregation.counters(slices)]);
    return { asOf, requests, others };
  });
}
