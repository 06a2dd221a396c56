import { join } from 'node:path';
import cors from '@koa/cors';
import conditional from 'koa-conditional-get';
import { callers } from './callers.js';
import { handlers } from './generated/handlers.js';
import { defineService } from './http/define-service.js';
import { Orders } from './orders.js';

const security = {
  shop: callers({ issuer: setting('AUTH_ISSUER'), keys: setting('AUTH_KEYS_URL') }),
};

async function start() {
  return { orders: await Orders.open(setting('DATABASE_URL')) };
}

declare module './http/handler.js' {
  interface Provided {
    start: typeof start;
    security: typeof security;
  }
}

export const service = defineService({
  description: join(__dirname, 'generated/swagger/swagger.yaml'),
  handlers,
  middleware: [cors({ exposeHeaders: ['ETag', 'Link', 'Location'] }), conditional()],
  security,
  start,
  ready: { database: ({ orders }) => orders.check() },
  stop: ({ orders }) => orders.close(),
});

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} has to be set`);
  return value;
}
