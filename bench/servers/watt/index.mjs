// @ts-check
import { Router } from '@koa/router';
import Koa from 'koa';
import { createServer } from 'node:http';
import { answers } from '../api.mjs';

/** What Watt calls for a server, in a thread for each worker. It measures by itself. */
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
