// @ts-check
import { Router } from '@koa/router';
import { Ajv } from 'ajv';
import Koa from 'koa';
import bodyParser from 'koa-bodyparser';
import { createServer } from 'node:http';
import { announce } from './announce.mjs';
import { answers, schemas } from './api.mjs';
import { koaMetrics } from './koa-metrics.mjs';

// koa-ajv.mjs: the API as it is written by hand with Koa, @koa/router, koa-bodyparser, ajv and prom-client.
const app = new Koa();
const router = new Router();
const { measure, metrics } = await koaMetrics('prom-client');
app.use(measure);
app.use(bodyParser());

const ajv = new Ajv({ allErrors: true });
const coercing = new Ajv({ allErrors: true, coerceTypes: true, useDefaults: true });

/**
 * @param {import('ajv').ValidateFunction} validate
 * @param {(ctx: import('koa').Context) => unknown} part
 * @returns {import('koa').Middleware}
 */
const valid = (validate, part) => (ctx, next) => {
  if (validate(part(ctx))) return next();
  ctx.status = 400;
  ctx.body = { message: 'The request is not valid', errors: validate.errors };
  return undefined;
};
const body = (/** @type {object} */ schema) => valid(ajv.compile(schema), (ctx) => ctx.request.body);
const params = (/** @type {object} */ properties) =>
  valid(coercing.compile({ type: 'object', properties }), (ctx) => ctx['params']);
const query = (/** @type {object} */ properties) =>
  valid(coercing.compile({ type: 'object', properties }), (ctx) => {
    // Koa's own is read anew from the URL by each who asks.
    ctx.state['query'] = { ...ctx.query };
    return ctx.state['query'];
  });

router.get('/metrics', metrics);
router.get('/', (ctx) => {
  ctx.body = answers.greet();
});
router.get('/hello/:name', params({ name: { type: 'string', minLength: 1, maxLength: 64 } }), (ctx) => {
  ctx.body = answers.hello(ctx['params'].name ?? '');
});
router.get(
  '/items/:id',
  params({ id: schemas.id }),
  query({ limit: schemas.limit, sort: schemas.sort }),
  (ctx) => {
    ctx.body = answers.findItem({ ...ctx['params'], ...ctx.state['query'] });
  },
);
router.post('/items', body(schemas.item), (ctx) => {
  ctx.status = 201;
  ctx.body = answers.createItem(Object(ctx.request.body));
});
router.post('/imports', body(schemas.items), (ctx) => {
  ctx.body = answers.importItems(Object(ctx.request.body));
});
router.get('/report', (ctx) => {
  ctx.body = answers.report();
});
router.get('/download', (ctx) => {
  ctx.type = 'application/octet-stream';
  ctx.body = answers.download();
});
app.use(router.routes());
app.use(router.allowedMethods());

const handler = app.callback();
announce(createServer((req, res) => void handler(req, res)));
