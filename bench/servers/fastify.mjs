// @ts-check
import { fastify } from 'fastify';
import fastifyMetrics from 'fastify-metrics';
import { announce } from './announce.mjs';
import { hello, root } from './answers.mjs';

// fastify.mjs [histogram]: fastify-metrics as it comes (a histogram and a summary), or without its costly summary.
const enabled = process.argv[2] === 'histogram' ? { histogram: true, summary: false } : true;
const schema = { response: { 200: { type: 'object', properties: { message: { type: 'string' } } } } };

const app = fastify();
// A CommonJS module whose default export is named so.
await app.register(fastifyMetrics.default, { endpoint: '/metrics', routeMetrics: { enabled } });
app.get('/', { schema }, async () => root());
app.get('/hello/:name', { schema }, async ({ params }) => hello(Object(params).name));
await app.ready();
announce(app.server);
