// @ts-check
import { readConfig } from '../../dist/config.js';
import { Ledger } from '../../dist/metrics/ledger/ledger.js';
import { RequestMetrics } from '../../dist/metrics/request-metrics.js';
import { latency, routeName } from './scrape-series.mjs';

// node leftovers.mjs FOLDER WORKERS ROWS: leaves what so many workers of a service have counted that were killed with it.
const [, , folder = '', workers, rows] = process.argv;
const { metricsBuckets: buckets } = readConfig({});

function onError(/** @type {Error} */ err) {
  throw err;
}

for (let generation = 1; generation <= Number(workers); generation++) {
  const metrics = new RequestMetrics(buckets, Ledger.open({ folder, generation, buckets, onError }));
  for (let row = 0; row < Number(rows); row++)
    for (let i = 0; i < 5; i++) metrics.endpoint(routeName(row)).observe('GET', 200, latency(row + i));
}
