// @ts-check
import { fastify } from 'fastify';
import { announce } from './announce.mjs';
import { answers, schemas } from './api.mjs';

// fastify.mjs [metrics|histogram]: the API with schemas for what comes in and what goes out; with fastify-metrics as it comes (a
// histogram and a summary), or without its costly summary.
const [metrics] = process.argv.slice(2);
const node = Number(process.versions.node.split('.')[0]);

const app = fastify();
if (metrics) {
  const { default: plugin } = await import(node >= 22 ? 'fastify-metrics' : 'fastify-metrics-13');
  const enabled = metrics === 'histogram' ? { histogram: true, summary: false } : true;
  // A CommonJS module whose default export is named so.
  await app.register(plugin.default ?? plugin, { endpoint: '/metrics', routeMetrics: { enabled } });
}
const params = (/** @type {object} */ properties) => ({ type: 'object', properties });

app.get('/', { schema: { response: { 200: schemas.message } } }, async () => answers.greet());
app.get(
  '/hello/:name',
  {
    schema: {
      params: params({ name: { type: 'string', minLength: 1, maxLength: 64 } }),
      response: { 200: schemas.message },
    },
  },
  async (request) => answers.hello(Object(request.params).name),
);
app.get(
  '/items/:id',
  {
    schema: {
      params: params({ id: schemas.id }),
      querystring: params({ limit: schemas.limit, sort: schemas.sort }),
      response: { 200: schemas.found },
    },
  },
  async (request) => answers.findItem({ ...Object(request.params), ...Object(request.query) }),
);
app.post(
  '/items',
  { schema: { body: schemas.item, response: { 201: schemas.storedItem } } },
  async (request, reply) => {
    reply.code(201);
    return answers.createItem(Object(request.body));
  },
);
app.post(
  '/imports',
  { schema: { body: schemas.items, response: { 200: schemas.accepted } } },
  async (request) => answers.importItems(Object(request.body)),
);
app.get('/report', { schema: { response: { 200: schemas.report } } }, async () => answers.report());
app.get('/download', async (_request, reply) => {
  reply.type('application/octet-stream');
  return answers.download();
});
await app.ready();
announce(app.server);
