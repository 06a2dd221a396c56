import type Koa from 'koa';
import type { Middleware } from 'koa';
import type { Config } from '../config.js';
import { accessLog } from './access-log.js';
import { Application } from './application.js';
import { trustProxies } from './forwarded.js';
import { measurementOf, measuring } from './measure.js';
import { provideLog } from './request-log.js';
import { entrance } from './overload.js';
import { answerError } from './problem.js';
import { requestIdentity } from './request-id.js';
import { type RouterDeps, createRouter } from './routing/router.js';

export interface AppDeps extends RouterDeps {
  readonly config: Config;
  /** Middleware around all operations, outermost first. */
  readonly middleware?: readonly Middleware[];
  /** Fields that are added to `ctx` for handlers and middleware. */
  readonly provided?: { readonly resources: unknown; readonly draining: AbortSignal };
}

/** Makes the app, with the steps of a request in their order. It does not listen. */
export function createApp(deps: AppDeps): Koa {
  const measure = measuring(deps.metrics);
  const observer = accessLog(deps.config.accessLog, deps.log, deps.contract.operations);
  const identify = requestIdentity();
  const router = createRouter(deps);
  const enter = entrance(deps);
  const app = new Application({
    begin(ctx) {
      measure(ctx);
      measurementOf(ctx).observer = observer;
      identify(ctx);
      const { essential } = router.find(ctx);
      return essential ? undefined : enter?.();
    },
    route: router.route,
    fail: answerError,
  });
  Object.assign(app.context, deps.provided);
  provideLog(app, deps.log);
  trustProxies(app, deps.config.trustProxy);
  for (const middleware of deps.middleware ?? []) app.use(middleware);
  return app;
}
