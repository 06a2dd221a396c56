// @ts-check
import cluster from 'node:cluster';
import { BUCKETS, latency, routeName } from './scrape-series.mjs';

/**
 * Makes a primary as the cluster examples of prom-client and @prometheus-io/client do.
 * @param {string} client
 */
export async function createPrimary(client) {
  const { AggregatorRegistry } = await import(client);
  const registry = new AggregatorRegistry();
  return { fork: () => cluster.fork(), gather: () => registry.clusterMetrics() };
}

/** @param {string} client */
export async function createWorker(client) {
  const { AggregatorRegistry, collectDefaultMetrics, Counter, Histogram } = await import(client);
  // Makes this process answer the primary.
  void new AggregatorRegistry();
  collectDefaultMetrics();
  const requests = new Counter({
    name: 'flask_app_request_count',
    help: 'Requests',
    labelNames: ['method', 'endpoint', 'http_status'],
  });
  const latencies = new Histogram({
    name: 'flask_app_request_latency_seconds',
    help: 'Latency',
    labelNames: ['method', 'endpoint'],
    buckets: BUCKETS,
  });
  return {
    /** @param {number} route */
    observe(route) {
      const labels = { method: 'GET', endpoint: routeName(route) };
      requests.inc({ ...labels, http_status: 200 });
      latencies.observe(labels, latency(route));
    },
  };
}
