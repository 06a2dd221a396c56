import request from 'supertest';
import { Application } from '../../src/http/application';

let app: Application;

beforeEach(() => {
  app = new Application();
  app.silent = true;
});

test('what its own middleware return and throw reaches the one before', async () => {
  app.use(async (ctx, next) => {
    try {
      ctx.body = `given: ${String(await next())}`;
    } catch (error) {
      ctx.body = `thrown: ${String(error)}`;
    }
  });
  app.use((ctx) => {
    if (ctx.path === '/throws') throw new Error('no');
    return 'a value';
  });
  app.ownMiddleware = 2;
  const server = app.callback();
  expect((await request(server).get('/')).text).toBe('given: a value');
  expect((await request(server).get('/throws')).text).toBe('thrown: Error: no');
});

test('middleware that were added may not call next() twice, as in any Koa app', async () => {
  app.use(async (_ctx, next) => {
    await next();
    await next();
  });
  expect((await request(app.callback()).get('/')).status).toBe(500);
});
