import { register } from 'prom-client';
import { readConfig } from './config.js';
import type { Service } from './http/define-service.js';
import { startService } from './http/start-service.js';
import { createLog } from './log.js';
import type { Format } from './metrics/exposition/gatherer.js';
import { processGatherer } from './metrics/exposition/process-gatherer.js';
import { RequestMetrics } from './metrics/request-metrics.js';
import { Server } from './server/http-server.js';

/** Milliseconds that requests may take to end which a test has left in flight. */
const CLOSE_MS = 1_000;

/** A service that runs in the process of its tests. */
export interface TestedService {
  /** The URL of the service, for supertest or any other client. */
  readonly url: string;
  /** The lines of its log, parsed. The cause of a 500 is in them. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  /** Drains it as a worker is drained, `stop` of the service included. */
  close(): Promise<void>;
}

/**
 * Starts a service in this process, on a free port of the loopback: with the validation, checks, limits and
 * metrics that it has in production. `env` is what it finds in its environment (variables of README). Throws
 * where the service can't be started.
 */
export async function startForTests(
  service: Service,
  env: Readonly<Record<string, string>> = {},
): Promise<TestedService> {
  const config = readConfig({ ...env });
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line));
  const log = createLog(config.logLevel, { write });
  const metrics = new RequestMetrics(config.metricsBuckets);
  const gatherer = processGatherer(config.metricsPrefix, metrics, register);
  const gather = async (format: Format) => (await gatherer.gather(format)).bytes;
  let accepting = true;
  const started = await startService(service, { config, log, metrics, gather, accepting: () => accepting });
  const server = new Server(started.listener, metrics, config);
  const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
  return {
    url: `http://127.0.0.1:${port}`,
    log: lines,
    close: () => {
      accepting = false;
      return started.end(server, { timeoutMs: CLOSE_MS, graceMs: 0 });
    },
  };
}
