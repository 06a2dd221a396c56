// @ts-check
import { createServer } from 'node:http';
import { announce } from './announce.mjs';
import { koaApp } from './koa-app.mjs';

// koa.mjs [prom-client|@prometheus-io/client]: an app of Koa and @koa/router, bare or with metrics.
const app = await koaApp(process.argv[2]);
const handler = app.callback();
announce(createServer((req, res) => void handler(req, res)));
