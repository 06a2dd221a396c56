import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { collectDefaultMetrics, Registry } from 'prom-client';
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

/** AWS Lambda behind API Gateway (REST and HTTP APIs), a function URL or an ALB. What is counted is pushed before it resolves. */
export const handler: LambdaHandler = async (event, context) => {
  const { answerEvent, push } = await lambda();
  const result = await answerEvent(event, context);
  // From here on this process may be frozen, for ever.
  await push();
  return result;
};

/** For platforms that call a Node request listener. The metrics are pushed after each answer, which does not wait for it. */
export const listener: RequestListener = (req, res) => void answer(req, res);

async function answer(...[req, res]: Parameters<RequestListener>): Promise<void> {
  try {
    const { started, push } = await serverless();
    res.once('close', () => void push());
    started.listener(unread(req), res);
  } catch (error) {
    // Nobody else is there to see it.
    process.stderr.write(`${String(error)}\n`);
    res.writeHead(500).end();
  }
}

const serverless = once(start);

const lambda = once(async () => {
  const { started, push } = await serverless();
  return { answerEvent: lambdaHandler(started.app), push };
});

// The processor is not throttled while a function is loaded, unlike later.
if (process.env['AWS_LAMBDA_FUNCTION_NAME'] !== undefined) {
  configuration(); // what is wrong with it ends the loading
  lambda().catch(() => undefined); // what else is wrong is told at the first event
}

/**
 * The one port that there is belongs to the platform, whatever it calls it (a named pipe, on Windows): none is opened here, and the
 * metrics are on it.
 */
function configuration(): ReturnType<typeof readConfig> {
  return readConfig({ ...process.env, PORT: undefined, METRICS_PORT: undefined });
}

async function start(): Promise<Serverless> {
  const config = configuration();
  const { log } = openLog(config.logLevel);
  const metrics = new RequestMetrics(config.metricsBuckets);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerRequestsInProgress(registry, config.metricsPrefix, () => metrics.inProgress);
  registerRequestsShed(registry, config.metricsPrefix, () => metrics.shed);
  const gatherer = processGatherer(config.metricsPrefix, metrics, registry);
  const gather = async (format?: Format) => (await gatherer.gather(format)).bytes;
  const { service } = await import('./service.js');
  const started = await startService(service, { config, log, metrics, gather, accepting: () => true });
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

/** A platform that says when a process is to end does it by this signal. */
function stopAtTheEnd(started: StartedService, timeoutMs: number): void {
  process.once('SIGTERM', () => void started.stop(timeoutMs).then(() => process.exit(0)));
}

/** Where it rejects it is called again the next time. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () =>
    (made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    }));
}
