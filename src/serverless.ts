import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { collectDefaultMetrics, register } from 'prom-client';
import { readConfig } from './config.js';
import { type StartedService, startService } from './http/start-service.js';
import { lambdaHandler, type LambdaHandler } from './serverless/lambda.js';
import type { Format } from './metrics/exposition/gatherer.js';
import { openLog } from './log.js';
import { processGatherer } from './metrics/exposition/process-gatherer.js';
import { unread } from './serverless/read-request.js';
import { Pushgateway } from './serverless/pushgateway.js';
import { RequestMetrics } from './metrics/request-metrics.js';
import { registerRequestsInProgress, registerRequestsShed } from './metrics/metric-catalogue.js';

interface Serverless {
  readonly started: StartedService;
  /** Pushes the metrics where there is a Pushgateway. Never rejects. */
  readonly push: () => Promise<void>;
}

/**
 * Handles AWS Lambda events of API Gateway (REST and HTTP APIs), a function URL or an ALB. Metrics
 * are pushed before it resolves.
 */
export const handler: LambdaHandler = async (event, context) => {
  const { answerEvent, push } = await lambda();
  const result = await answerEvent(event, context);
  // When this handler has resolved, the process may be frozen for ever.
  await push();
  return result;
};

/**
 * Handles requests on platforms that call a Node request listener. Metrics are pushed after each answer,
 * which does not wait for the push.
 */
export const listener: RequestListener = (req, res) => void answer(req, res);

async function answer(...[req, res]: Parameters<RequestListener>): Promise<void> {
  try {
    const { started, push } = await serverless();
    res.once('close', () => void push());
    started.listener(unread(req), res);
  } catch (error) {
    // The platform logs stderr, and shows the error nowhere else.
    process.stderr.write(`${String(error)}\n`);
    res.writeHead(500).end();
  }
}

const serverless = once(start);

const lambda = once(async () => {
  const { started, push } = await serverless();
  return { answerEvent: lambdaHandler(started.app), push };
});

// AWS throttles the processor after a function is loaded, so the service starts during the load.
if (process.env['AWS_LAMBDA_FUNCTION_NAME'] !== undefined) {
  configuration(); // a bad configuration ends the load
  lambda().catch(() => undefined); // other errors are reported at the first event
}

/**
 * Reads the configuration without ports. The platform has the only port, whatever its PORT says (a named
 * pipe, on Windows), and the metrics are on it too.
 */
function configuration(): ReturnType<typeof readConfig> {
  return readConfig({ ...process.env, PORT: undefined, METRICS_PORT: undefined });
}

async function start(): Promise<Serverless> {
  const config = configuration();
  const { log } = openLog(config.logLevel);
  const metrics = new RequestMetrics(config.metricsBuckets);
  const gatherer = processGatherer(config.metricsPrefix, metrics, register);
  const gather = async (format?: Format) => (await gatherer.gather(format)).bytes;
  const { service } = await import('./service.js');
  const started = await startService(service, { config, log, metrics, gather, accepting: () => true });
  // The registry is that of the service's own metrics too. It takes a name once, and a
  // start that fails is tried again.
  collectDefaultMetrics();
  registerRequestsInProgress(register, config.metricsPrefix, () => metrics.inProgress);
  registerRequestsShed(register, config.metricsPrefix, () => metrics.shed);
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
