// @ts-check
import { staticPath, templatedPath } from './grown-paths.mjs';
import { serve } from './our-service.mjs';

// ours-grown.mjs ROUTES [ROWS]: our service with an API of so many routes, every other one with a path parameter, after it has
// counted so many others.
const [routes, rows] = process.argv.slice(2).map(Number);

const answer = { description: 'An answer.', content: { 'application/json': { schema: { type: 'object' } } } };
const parameters = [{ name: 'id', in: 'path', required: true, schema: { type: 'string', maxLength: 64 } }];
const handler = () => ({ message: 'Hello!' });

/** @type {Record<string, object>} */
const paths = {};
/** @type {Record<string, () => object>} */
const handlers = {};
for (let i = 0; i < (routes ?? 0); i++) {
  const operationId = `operation${i}`;
  const operation = { operationId, responses: { 200: answer } };
  if (i % 2 === 0) paths[staticPath(i)] = { get: operation };
  else paths[templatedPath(i, '{id}')] = { get: { ...operation, parameters } };
  handlers[operationId] = handler;
}
const document = { openapi: '3.1.0', info: { title: 'Grown', version: '1.0.0' }, paths };
await serve({ document, handlers, rows: rows ?? 0 });
