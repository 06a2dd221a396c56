import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type Koa from 'koa';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { readConfig } from './config.js';
import { createApp } from './http/app.js';
import { loadContract } from './http/contract.js';
import { handlers } from './generated/handlers.js';
import { lambdaHandler, type LambdaHandler } from './serverless/lambda.js';
import type { Format } from './metrics/exposition/gatherer.js';
import { openLog } from './log.js';
import { processGatherer } from './metrics/exposition/process-gatherer.js';
import { unread } from './serverless/read-request.js';
import { Pushgateway } from './serverless/pushgateway.js';
import { RequestMetrics } from './metrics/request-metrics.js';
import { registerRequestsInProgress } from './metrics/metric-catalogue.js';

interface Service {
  readonly app: Koa;
  /** Pushes the metrics where there is a Pushgateway. Never rejects. */
  readonly push: () => Promise<void>;
}

/** AWS Lambda behind API Gateway (REST and HTTP APIs), a function URL or an ALB. What is counted is pushed before it resolves. */
export const handler: LambdaHandler = async (event, context) => {
  const { answer, push } = lambda();
  const result = await answer(event, context);
  // From here on this process may be frozen, for ever.
  await push();
  return result;
};

/** For platforms that call a Node request listener. The metrics are pushed after each answer, which does not wait for it. */
export const listener: RequestListener = (req, res) => plain()(req, res);

const service = once(build);

const lambda = once(() => ({ answer: lambdaHandler(service().app), push: service().push }));

const plain = once(() => {
  const { app, push } = service();
  const callback = app.callback();
  return (req: IncomingMessage, res: ServerResponse): void => {
    res.once('close', () => void push());
    void callback(unread(req), res);
  };
});

// The processor is not throttled while a function is loaded, unlike later.
if (process.env['AWS_LAMBDA_FUNCTION_NAME'] !== undefined) lambda();

function build(): Service {
  // The one port that there is belongs to the platform, whatever it calls it (a named pipe, on Windows): none is opened
  // here, and the metrics are on it.
  const config = readConfig({ ...process.env, PORT: undefined, METRICS_PORT: undefined });
  const { log } = openLog(config.logLevel);
  const metrics = new RequestMetrics(config.metricsBuckets);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerRequestsInProgress(registry, config.metricsPrefix, () => metrics.inProgress);
  const gatherer = processGatherer(config.metricsPrefix, metrics, registry);
  const gather = async (format?: Format) => (await gatherer.gather(format)).bytes;
  const description = join(__dirname, 'generated/swagger/swagger.yaml');
  const contract = loadContract({ description, handlers });
  const app = createApp({ config, log, contract, metrics, gather, ready: () => true });
  if (config.pushgatewayUrl === undefined) return { app, push: () => Promise.resolve() };
  const { push } = new Pushgateway({
    url: config.pushgatewayUrl,
    job: process.env['AWS_LAMBDA_FUNCTION_NAME'] ?? 'koa-cluster-metrics',
    instance: randomUUID(),
    gather,
    onError: (err) => log.warn({ err }, 'Metrics cannot be pushed to the Pushgateway'),
  });
  return { app, push };
}

/** Where it throws it is called again the next time. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
