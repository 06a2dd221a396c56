import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { collectDefaultMetrics, register, Registry } from 'prom-client';
import { readConfig } from '../config.js';
import { loadService, type ServiceSource } from '../http/define-service.js';
import { type StartedService, startService } from '../http/start-service.js';
import { type Log, openLog } from '../log.js';
import type { Format } from '../metrics/exposition/gatherer.js';
import { processGatherer } from '../metrics/exposition/process-gatherer.js';
import { registerRequestsInProgress, registerRequestsShed } from '../metrics/metric-catalogue.js';
import { RequestMetrics } from '../metrics/request-metrics.js';
import { lambdaHandler } from './lambda.js';
import { Pushgateway } from './pushgateway.js';
import { unread } from '../http/body/read-request.js';

/** A service as platforms call it. */
export interface Serverless {
  /**
   * Handles AWS Lambda events of API Gateway (REST and HTTP APIs), a function URL or an ALB. Metrics
   * are pushed before it resolves.
   */
  readonly handler: (event: object, context: object) => Promise<object>;
  /**
   * Handles requests on platforms that call a Node request listener. Metrics are pushed after each answer,
   * which does not wait for the push.
   */
  readonly listener: RequestListener;
}

interface Instance {
  readonly started: StartedService;
  /** Pushes the metrics where there is a Pushgateway. Never rejects. */
  readonly push: () => Promise<void>;
}

/**
 * Prepares a service for a platform that calls it. It is loaded and started once, at the first call or, on
 * AWS, at once.
 */
export function serverless(source: ServiceSource): Serverless {
  const instance = once(() => start(source));
  const lambda = once(async () => {
    const { started, push } = await instance();
    return { answerEvent: lambdaHandler(started.app), push };
  });
  // AWS throttles the processor after a function is loaded, so the service starts during the load.
  if (process.env['AWS_LAMBDA_FUNCTION_NAME'] !== undefined) {
    configuration(); // a bad configuration ends the load
    lambda().catch(() => undefined); // other errors are reported at the first event
  }
  return {
    handler: async (event, context) => {
      const { answerEvent, push } = await lambda();
      try {
        return await answerEvent(event, context);
      } finally {
        await push(); // when this handler has ended, the process may be frozen for ever
      }
    },
    listener: (req, res) => void answer(instance, req, res),
  };
}

async function answer(
  instance: () => Promise<Instance>,
  ...[req, res]: Parameters<RequestListener>
): Promise<void> {
  try {
    const { started, push } = await instance();
    res.once('close', () => void push());
    started.listener(unread(req), res);
  } catch (error) {
    // The platform logs stderr, and shows the error nowhere else.
    process.stderr.write(`${String(error)}\n`);
    res.writeHead(500).end();
  }
}

/**
 * Reads the configuration without ports. The platform has the only port, whatever its PORT says (a named
 * pipe, on Windows), and the metrics are on it too.
 */
function configuration(): ReturnType<typeof readConfig> {
  return readConfig({ ...process.env, PORT: undefined, METRICS_PORT: undefined });
}

/** The log of this process. A start that fails is tried again. */
let opened: Log | undefined;

async function start(source: ServiceSource): Promise<Instance> {
  const config = configuration();
  const { log } = (opened ??= openLog(config.logLevel));
  const metrics = new RequestMetrics(config.metricsBuckets);
  const own = new Registry();
  const gatherer = processGatherer(config.metricsPrefix, metrics, register, own);
  const gather = async (format?: Format) => (await gatherer.gather(format)).bytes;
  const service = await loadService(source);
  const started = await startService(service, { config, log, metrics, gather, accepting: () => true });
  collectDefaultMetrics({ register: own });
  registerRequestsInProgress(own, config.metricsPrefix, () => metrics.inProgress);
  registerRequestsShed(own, config.metricsPrefix, () => metrics.shed);
  if (service.stop) stopAtTheEnd(started, config.shutdownTimeoutMs);
  if (config.pushgatewayUrl === undefined) return { started, push: () => Promise.resolve() };
  const { push } = new Pushgateway({
    url: config.pushgatewayUrl,
    job: process.env['AWS_LAMBDA_FUNCTION_NAME'] ?? 'koa-cluster-metrics',
    instance: randomUUID(),
    gather,
    onError: (err) => log.warn({ err }, 'Metrics cannot be pushed to the Pushgateway'),
  });
  return { started, push };
}

/** Stops the service at SIGTERM, by which some platforms announce the end of a process. */
function stopAtTheEnd(started: StartedService, timeoutMs: number): void {
  process.once('SIGTERM', () => void started.stop(timeoutMs).then(() => process.exit(0)));
}

/** Makes a function that calls `make` once, or again if the last call has rejected. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () =>
    (made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    }));
}
