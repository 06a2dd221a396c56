// @ts-check

/**
 * The metrics middleware that everyone writes, and the route that answers with what it counted.
 * @param {'prom-client' | '@prometheus-io/client'} client
 * @returns {Promise<{ measure: import('koa').Middleware, metrics: import('koa').Middleware }>}
 */
export async function koaMetrics(client) {
  // Loaded here: its default metrics would cost the bare one something too.
  const { collectDefaultMetrics, Counter, Histogram, register } = await import(client);
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
  return {
    async measure(ctx, next) {
      const end = latency.startTimer();
      try {
        await next();
      } finally {
        const labels = { method: ctx.method, endpoint: ctx.routerPath ?? 'unmatched' };
        end(labels);
        requests.inc({ ...labels, http_status: ctx.status });
      }
    },
    async metrics(ctx) {
      ctx.type = register.contentType;
      ctx.body = await register.metrics();
    },
  };
}
