// @ts-check
import { Router } from '@koa/router';
import Koa from 'koa';
import { answers } from './api.mjs';
import { koaMetrics } from './koa-metrics.mjs';

/**
 * A small app of Koa and @koa/router, bare or with the metrics middleware that everyone writes.
 * @param {string} [client]  the package that middleware counts with
 */
export async function koaApp(client) {
  const app = new Koa();
  const router = new Router();
  if (client === 'prom-client' || client === '@prometheus-io/client') {
    const { measure, metrics } = await koaMetrics(client);
    app.use(measure);
    router.get('/metrics', metrics);
  }
  router.get('/', (ctx) => {
    ctx.body = answers.greet();
  });
  router.get('/hello/:name', (ctx) => {
    ctx.body = answers.hello(ctx.params['name'] ?? '');
  });
  app.use(router.routes());
  app.use(router.allowedMethods());
  return app;
}

/** An app of Koa alone, which answers `/hello/{name}` and looks at nothing. */
export function routerlessApp() {
  const app = new Koa();
  app.use((ctx) => {
    ctx.body = answers.hello(ctx.path.slice('/hello/'.length));
  });
  return app;
}
