// @ts-check
import { createServer } from 'node:http';
import { announce } from './announce.mjs';
import { koaApp, routerlessApp } from './koa-app.mjs';

// koa.mjs [prom-client|@prometheus-io/client|routerless]: an app of Koa and @koa/router, bare or with metrics; Koa alone.
const [variant] = process.argv.slice(2);
const app = variant === 'routerless' ? routerlessApp() : await koaApp(variant);
const handler = app.callback();
announce(createServer((req, res) => void handler(req, res)));
