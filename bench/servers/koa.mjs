// @ts-check
import { Router } from '@koa/router';
import Koa from 'koa';
import { createServer } from 'node:http';
import { announce } from './announce.mjs';
import { answers } from './api.mjs';
import { koaMetrics } from './koa-metrics.mjs';

// koa.mjs [prom-client|@prometheus-io/client]: Koa and @koa/router, bare or with the metrics middleware that everyone writes.
const [client] = process.argv.slice(2);
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

const handler = app.callback();
announce(createServer((req, res) => void handler(req, res)));
