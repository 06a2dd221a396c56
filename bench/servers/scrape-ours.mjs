// @ts-check
import cluster from 'node:cluster';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { collectDefaultMetrics, register, Registry } from 'prom-client';
import { readConfig } from '../../dist/config.js';
import { gzipped } from '../../dist/http/answer/gzip.js';
import { ClusterRegistry } from '../../dist/metrics/exposition/cluster-registry.js';
import { Ledger } from '../../dist/metrics/ledger/ledger.js';
import { RequestMetrics } from '../../dist/metrics/request-metrics.js';
import { snapshotText } from '../../dist/metrics/snapshot/take-snapshot.js';
import { latency, routeName } from './scrape-series.mjs';

const { metricsBuckets: buckets, metricsPrefix: prefix, ledgerDir } = readConfig({});

/** The primary's part as the service has it. */
export function createPrimary() {
  const folder = mkdtempSync(join(ledgerDir, 'bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const registry = new ClusterRegistry({
    folder,
    prefix,
    buckets,
    perWorker: false,
    // Every scrape asks the workers, as with two seconds or more between scrapes.
    maxAgeMs: 0,
    intervalMs: 0,
    registry: new Registry(),
  });
  let generations = 0;
  const fork = () => {
    const generation = ++generations;
    const worker = cluster.fork({ LEDGER_FOLDER: folder, LEDGER_GENERATION: String(generation) });
    registry.addWorker(generation, (/** @type {number} */ id) => worker.send({ type: 'collect', id }));
    worker.on('message', (message) => {
      if (message.type === 'snapshot') registry.receiveSnapshot(generation, message.id, message.snapshot);
    });
    return worker;
  };
  const gather = async (/** @type {string} */ format) => {
    const { bytes } = await registry.gather(format === 'protobuf' ? 'protobuf' : 'text');
    return format === 'gzip' ? gzipped(bytes) : bytes;
  };
  return { fork, gather };
}

/** A worker's part: rows in a ledger, all other metrics in a registry. */
export function createWorker() {
  const ledger = Ledger.open({
    folder: process.env['LEDGER_FOLDER'] ?? '',
    generation: Number(process.env['LEDGER_GENERATION']),
    buckets,
    onError: (/** @type {Error} */ err) => {
      throw err;
    },
  });
  const metrics = new RequestMetrics(buckets, ledger);
  collectDefaultMetrics();
  process.on('message', (/** @type {any} */ { type, id }) => {
    if (type === 'collect') void answer(id, ledger);
  });
  return {
    observe: (/** @type {number} */ route) =>
      metrics.endpoint(routeName(route)).observe('GET', 200, latency(route)),
  };
}

/**
 * @param {number} id
 * @param {Ledger} ledger
 */
async function answer(id, ledger) {
  process.send?.({ type: 'snapshot', id, snapshot: await snapshotText(register, ledger.memoryOnly()) });
}
