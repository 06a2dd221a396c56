// @ts-check
import { collectDefaultMetrics, Counter, Histogram, register } from 'prom-client';

collectDefaultMetrics();
const requests = new Counter({
  name: 'http_request_count',
  help: 'Requests',
  labelNames: ['method', 'endpoint', 'http_status'],
});
const latency = new Histogram({
  name: 'http_request_latency_seconds',
  help: 'Latency',
  labelNames: ['method', 'endpoint'],
});

/** @type {import('koa').Middleware} */
export async function measure(ctx, next) {
  const end = latency.startTimer();
  try {
    await next();
  } finally {
    const labels = { method: ctx.method, endpoint: ctx.routerPath ?? 'unmatched' };
    end(labels);
    requests.inc({ ...labels, http_status: ctx.status });
  }
}

/** @type {import('koa').Middleware} */
export async function metrics(ctx) {
  ctx.type = register.contentType;
  ctx.body = await register.metrics();
}
