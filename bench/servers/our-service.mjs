// @ts-check
import { collectDefaultMetrics } from 'prom-client';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { readConfig } from '../../dist/config.js';
import { startService } from '../../dist/http/start-service.js';
import { Server } from '../../dist/server/http-server.js';
import { openLog } from '../../dist/log.js';
import { Ledger } from '../../dist/metrics/ledger/ledger.js';
import { RequestsInFlight } from '../../dist/metrics/ledger/requests-in-flight.js';
import { RequestMetrics } from '../../dist/metrics/request-metrics.js';
import { announce } from './announce.mjs';

/**
 * Serves a description in this process as one worker of the service does, configured by the environment as that is, its counts in a ledger;
 * or without what measures, and with all the rest.
 * @param {{ document: object, handlers: Record<string, (request: any) => unknown>, middleware?: import('koa').Middleware[],
 *   security?: import('../../dist/http/security.js').SecurityChecks,
 *   instrumented?: boolean, rows?: number }} options  `rows`: how many others have been counted before
 */
export async function serve({
  document,
  handlers,
  middleware = [],
  security = {},
  instrumented = true,
  rows = 0,
}) {
  if (instrumented) collectDefaultMetrics();
  else removeInstrumentation();
  const config = readConfig({ ...process.env, LOG_LEVEL: 'error' });
  const metrics = requestMetrics(config);
  for (let row = 0; row < rows; row++) metrics.endpoint(`/counted-before/${row}`).observe('GET', 200, 0.01);
  const { log } = openLog(config.logLevel);
  const service = await withFile(document, (description) =>
    startService(
      { description, handlers, middleware, security },
      { config, log, metrics, gather: async () => Buffer.alloc(0), accepting: () => true },
    ),
  );
  announce(new Server(service.listener, metrics, config).http);
}

/**
 * @template Result
 * @param {object} document
 * @param {(file: string) => Promise<Result>} use
 */
async function withFile(document, use) {
  const folder = mkdtempSync(`${tmpdir()}/bench-`);
  try {
    const file = `${folder}/description.yaml`;
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(document));
    return await use(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The responses are Node's own, and nobody is told the endpoint. */
function removeInstrumentation() {
  const load = createRequire(import.meta.url);
  Object.assign(load('../../dist/server/response/measured-response.js'), {
    MeasuredResponse: Object.assign(ServerResponse, { pending: () => [], closed() {} }),
    measuredResponse: () => ServerResponse,
  });
  const nothing = { endpoint: undefined, identify() {}, leaveInProgress() {} };
  Object.assign(load('../../dist/http/measure.js'), {
    measuring: () => () => {},
    measurementOf: () => nothing,
  });
}

/**
 * Counts in a ledger, and notes what is in flight.
 * @param {ReturnType<typeof readConfig>} config
 */
function requestMetrics({ ledgerDir, metricsBuckets: buckets }) {
  const folder = mkdtempSync(`${ledgerDir}/bench-`);
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const ledger = Ledger.open({ folder, generation: 1, buckets, onError: fail });
  return new RequestMetrics(buckets, ledger, RequestsInFlight.open(folder, 1));
}

/** @param {Error} err */
function fail(err) {
  throw err;
}
