import type Koa from 'koa';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { trustProxies } from './forwarded.js';
import { measure } from './measure.js';
import { Application } from './application.js';
import { renderErrors } from './problem.js';
import { type RouterDeps, createRouter } from './router.js';

export interface AppDeps extends RouterDeps {
  readonly config: Config;
  readonly log: Logger;
}

/** The app: what a request goes through, in this order. It does not listen. */
export function createApp(deps: AppDeps): Koa {
  const app = new Application();
  trustProxies(app, deps.config.trustProxy);
  renderErrors(app, deps.log);
  app.use(measure(deps.metrics));
  app.use(createRouter(deps));
  app.ownMiddleware = app.middleware.length;
  return app;
}
