// @ts-check
import express from 'express';
import { middleware as validator } from 'express-openapi-validator';
import bundle from 'express-prom-bundle';
import { createServer } from 'node:http';
import { announce } from './announce.mjs';
import { answers, describe } from './api.mjs';

// express.mjs: the API behind express-prom-bundle and express-openapi-validator.
const app = express();
app.use(bundle({ includeMethod: true, includePath: true, promClient: { collectDefaultMetrics: {} } }));
app.use(express.json());
app.use(validator({ apiSpec: /** @type {any} */ (describe('3.1.0')) }));

app.get('/', (_req, res) => void res.json(answers.greet()));
app.get('/hello/:name', (req, res) => void res.json(answers.hello(req.params.name)));
app.get('/items/:id', (req, res) => {
  res.json(answers.findItem({ ...Object(req.params), ...Object(req.query) }));
});
app.post('/items', (req, res) => void res.status(201).json(answers.createItem(req.body)));
app.post('/imports', (req, res) => void res.json(answers.importItems(req.body)));
app.get('/report', (_req, res) => void res.json(answers.report()));
app.get('/download', (_req, res) => {
  res.type('application/octet-stream');
  answers.download().pipe(res);
});
/** @type {import('express').ErrorRequestHandler} */
const renderError = (err, _req, res, _next) => {
  res.status(err.status ?? 500).json({ message: err.message, errors: err.errors });
};
app.use(renderError);

announce(createServer(app));
