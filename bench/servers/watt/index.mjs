// @ts-check
import { Router } from '@koa/router';
import Koa from 'koa';
import { createServer } from 'node:http';
import { answers } from '../api.mjs';

/** Makes a server. Watt calls it in a thread for each worker, and measures by itself. */
export function create() {
  const app = new Koa();
  const router = new Router();
  router.get('/', (ctx) => {
    ctx.body = answers.greet();
  });
  app.use(router.routes());
  const handler = app.callback();
  return createServer((req, res) => void handler(req, res));
}
