// @ts-check
import { collectDefaultMetrics } from 'prom-client';
import { mkdtempSync, rmSync } from 'node:fs';
import { ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { readConfig } from '../../dist/config.js';
import { createApp } from '../../dist/http/app.js';
import { loadContract } from '../../dist/http/contract.js';
import { Server } from '../../dist/server/http-server.js';
import { createLog } from '../../dist/log.js';
import { Ledger } from '../../dist/metrics/ledger/ledger.js';
import { RequestMetrics } from '../../dist/metrics/request-metrics.js';
import { announce } from './announce.mjs';

/**
 * Serves a description in this process as one worker of the service does, its counts in a ledger; or without what measures,
 * and with all the rest.
 * @param {{ description: string, handlers: object, instrumented?: boolean, rows?: number }} options
 *   `rows`: how many others have been counted before
 */
export function serve({ description, handlers, instrumented = true, rows = 0 }) {
  const config = readConfig({ NODE_ENV: 'production', LOG_LEVEL: 'error' });
  const metrics = new RequestMetrics(config.metricsBuckets, openLedger(config));
  for (let row = 0; row < rows; row++) metrics.endpoint(`/counted-before/${row}`).observe('GET', 200, 0.01);
  const contract = loadContract({ description, handlers, validateResponses: config.validateResponses });
  const log = createLog(config.logLevel);
  const app = createApp({
    config,
    log,
    contract,
    metrics,
    gather: async () => Buffer.alloc(0),
    ready: () => true,
  });
  if (instrumented) {
    collectDefaultMetrics();
  } else {
    removeInstrumentation();
    // The first is the one that measures.
    app.middleware.shift();
  }
  announce(new Server(app.callback(), metrics, config).http);
}

/** The responses are Node's own, for which the rest of the program takes them, and nobody is told the endpoint. */
function removeInstrumentation() {
  Object.assign(ServerResponse.prototype, { count() {} });
  const load = createRequire(import.meta.url);
  Object.assign(load('../../dist/metrics/measured-response.js'), {
    MeasuredResponse: Object.assign(ServerResponse, { pending: () => [], closed() {} }),
    measuredResponse: () => ServerResponse,
  });
  Object.assign(load('../../dist/metrics/middleware.js'), { setEndpoint() {} });
}

/** @param {ReturnType<typeof readConfig>} config */
function openLedger({ ledgerDir, metricsBuckets }) {
  const folder = mkdtempSync(`${ledgerDir}/bench-`);
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return Ledger.open({
    folder,
    generation: 1,
    buckets: metricsBuckets,
    onError: (/** @type {Error} */ err) => {
      throw err;
    },
  });
}
