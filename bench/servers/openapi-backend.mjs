// @ts-check
import Koa from 'koa';
import bodyParser from 'koa-bodyparser';
import { createServer } from 'node:http';
import { OpenAPIBackend } from 'openapi-backend';
import { announce } from './announce.mjs';
import { answers, describe } from './api.mjs';
import { koaMetrics } from './koa-metrics.mjs';

// openapi-backend.mjs: the API with openapi-backend on Koa, koa-bodyparser and prom-client.
/** @typedef {import('openapi-backend').Context} Matched */
/** @typedef {import('koa').Context} Context */

/**
 * @param {(matched: Matched) => unknown} answer
 * @param {number} [status]
 */
const handler =
  (answer, status = 200) =>
  (/** @type {Matched} */ matched, /** @type {Context} */ ctx) => {
    ctx.routerPath = matched.operation.path;
    ctx.status = status;
    ctx.body = answer(matched);
  };
const api = new OpenAPIBackend({
  definition: /** @type {any} */ (describe('3.0.3')),
  // The check of the document knows OpenAPI 3.0 only; the validators are made all the same.
  quick: true,
  coerceTypes: true,
  handlers: {
    greet: handler(() => answers.greet()),
    hello: handler(({ request }) => answers.hello(String(request.params['name']))),
    // The coercion does not reach path parameters.
    findItem: handler(({ request }) =>
      answers.findItem({ ...Object(request.query), id: Number(request.params['id']) }),
    ),
    createItem: handler(({ request }) => answers.createItem(request.requestBody), 201),
    importItems: handler(({ request }) => answers.importItems(request.requestBody)),
    report: handler(() => answers.report()),
    download: (/** @type {Matched} */ matched, /** @type {Context} */ ctx) => {
      ctx.routerPath = matched.operation.path;
      ctx.type = 'application/octet-stream';
      ctx.body = answers.download();
    },
    validationFail: ({ validation }, /** @type {Context} */ ctx) => {
      ctx.status = 400;
      ctx.body = { message: 'The request is not valid', errors: validation.errors };
    },
    notFound: (_matched, /** @type {Context} */ ctx) => {
      ctx.status = 404;
      ctx.body = { message: 'There is nothing here' };
    },
  },
});
await api.init();

const app = new Koa();
const { measure } = await koaMetrics('prom-client');
app.use(measure);
app.use(bodyParser());
// The library copies the request, and would lose the getters of Koa's.
app.use((ctx) => {
  const { method, path, query, headers, body } = /** @type {any} */ (ctx.request);
  return api.handleRequest({ method, path, query, headers, body }, ctx);
});

const callback = app.callback();
announce(createServer((req, res) => void callback(req, res)));
