import type { Registry } from 'prom-client';
import { MergedMetrics, MetricSource } from './merged-metrics.js';
import { oneAtATime } from './one-at-a-time.js';
import type { RequestMetrics } from '../request-metrics.js';
import { RequestSource, RequestTotals } from './request-totals.js';
import { ownSeries } from '../service-metrics.js';
import { Slices } from './slices.js';
import { takeSnapshot } from '../snapshot/snapshot.js';
import { TextBuffer } from './text-buffer.js';

/** The exposition of a service that is this one process: serverless, an app in a test. */
export function processGatherer(
  prefix: string,
  metrics: RequestMetrics,
  registry: Registry,
): () => Promise<Buffer> {
  const requests = new RequestTotals(prefix, metrics.buckets);
  const merged = new MergedMetrics(ownSeries(prefix));
  const counted = new RequestSource();
  const source = new MetricSource();
  return oneAtATime(async () => {
    const snapshot = await takeSnapshot(registry, []);
    merged.add(source, snapshot);
    for (const { labels, cells } of metrics.rows) requests.add(counted, requests.indexOf(labels), cells, 0);
    const text = new TextBuffer();
    const slices = await Slices.begin();
    await requests.render(text, slices);
    await merged.render([{ snapshot }], text, slices);
    return text.bytes;
  });
}
