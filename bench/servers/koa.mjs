// @ts-check
import { Router } from '@koa/router';
import Koa from 'koa';
import { createServer } from 'node:http';
import { announce } from './announce.mjs';
import { hello, root } from './answers.mjs';

// koa.mjs [prom-client]: Koa and @koa/router, bare or with the metrics middleware that everyone writes.
const app = new Koa();
const router = new Router();

if (process.argv[2] === 'prom-client') {
  // Loaded here: its default metrics would cost the bare one something too.
  const { measure, metrics } = await import('./koa-prom-client.mjs');
  app.use(measure);
  router.get('/metrics', metrics);
}
router.get('/', (ctx) => {
  ctx.body = root();
});
router.get('/hello/:name', (ctx) => {
  ctx.body = hello(ctx.params['name'] ?? '');
});
app.use(router.routes());
app.use(router.allowedMethods());

const handler = app.callback();
announce(createServer((req, res) => void handler(req, res)));
