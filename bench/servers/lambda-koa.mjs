// @ts-check
import { Router } from '@koa/router';
import Koa from 'koa';
import serverless from 'serverless-http';
import { answers } from './api.mjs';

const app = new Koa();
const router = new Router();
router.get('/', (ctx) => {
  ctx.body = answers.greet();
});
app.use(router.routes());

export const handler = serverless(app);
