// @ts-check
import express from 'express';
import bundle from 'express-prom-bundle';
import { createServer } from 'node:http';
import { announce } from './announce.mjs';
import { hello, root } from './answers.mjs';

const app = express();
app.use(bundle({ includeMethod: true, includePath: true, promClient: { collectDefaultMetrics: {} } }));
app.get('/', (_req, res) => {
  res.json(root());
});
app.get('/hello/:name', (req, res) => {
  res.json(hello(req.params.name));
});

announce(createServer(app));
