// @ts-check
import Koa from 'koa';
import { fileURLToPath } from 'node:url';
import { OpenAPIBackend } from 'openapi-backend';
import serverless from 'serverless-http';
import { answers } from './api.mjs';

const api = new OpenAPIBackend({
  definition: fileURLToPath(new URL('../../swagger/swagger.yaml', import.meta.url)),
  quick: true,
  handlers: {
    greet: (_matched, /** @type {import('koa').Context} */ ctx) => {
      ctx.body = answers.greet();
    },
  },
});
const app = new Koa();
app.use(async (ctx) => {
  const { method, path, query, headers } = /** @type {any} */ (ctx.request);
  await api.handleRequest({ method, path, query, headers }, ctx);
});
await api.init();

export const handler = serverless(app);
