import Koa from 'koa';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { measure } from '../metrics/middleware.js';
import { useProblems } from './problem.js';
import { type RouterDeps, createRouter } from './router.js';

export interface AppDeps extends RouterDeps {
  readonly config: Config;
  readonly log: Logger;
}

/** The app: what a request goes through, in this order. It does not listen. */
export function createApp(deps: AppDeps): Koa {
  const app = new Koa({ proxy: deps.config.trustProxy });
  app.use(measure(deps.metrics));
  useProblems(app, deps.log);
  app.use(createRouter(deps));
  return app;
}
