import { Router } from '@koa/router';
import Koa from 'koa';
import supertest from 'supertest';
import { knownRoutes } from '../../src/foreign/known-routes';
import { expressRoute, koaRoute } from '../../src/foreign/matched-route';

/** Returns the label that an app with these routers gives a request when its answer is ready. */
async function routeOf(routers: readonly Router[], method: 'get' | 'post' | 'put', path: string) {
  let seen: string | undefined = 'nothing was asked';
  const app = new Koa();
  app.use(async (ctx, next) => {
    await next();
    seen = koaRoute(ctx);
  });
  for (const router of routers) app.use(router.routes()).use(router.allowedMethods());
  await supertest(app.callback())[method](path);
  return seen;
}

const users = new Router({ prefix: '/users' });
users.use(async (ctx, next) => (ctx.get('x-user') === 'nobody' ? void (ctx.status = 401) : next()));
users.get('/:id', (ctx) => void (ctx.body = 'one'));
users.get('/me', (ctx) => void (ctx.body = 'me'));
users.post('/', (ctx) => void (ctx.status = 201));

const posts = new Router();
posts.get('/:post', (ctx) => void (ctx.body = 'a post'));
const api = new Router({ prefix: '/api' });
api.use('/users/:id/posts', posts.routes());
api.get(/^\/old/, (ctx) => void (ctx.body = 'old'));

describe('koaRoute', () => {
  test.each([
    ['get', '/users/42', '/users/:id'],
    ['post', '/users', '/users'],
    ['get', '/api/users/42/posts/7', '/api/users/:id/posts/:post'],
    ['get', '/nowhere', undefined],
    ['get', '/api/users/42', undefined],
    ['put', '/users/42', '/users/:id'],
  ] as const)('%s %s is %s', async (method, path, route) => {
    expect(await routeOf([users, api], method, path)).toBe(route);
  });

  test('is the route, not the middleware, where the middleware of its router answers', async () => {
    const refusing = new Router({ prefix: '/secret' });
    refusing.use((ctx) => void (ctx.status = 401));
    refusing.get('/:id', (ctx) => void (ctx.body = 'never'));
    expect(await routeOf([refusing], 'get', '/secret/1')).toBe('/secret/:id');
  });

  test('is the route that answers where more than one matches', async () => {
    const passing = new Router();
    passing.get('/x/:first', (_ctx, next) => next());
    passing.get('/x/:second', (ctx) => void (ctx.body = 'second'));
    passing.get('/x/:third', (ctx) => void (ctx.body = 'third'));
    expect(await routeOf([passing], 'get', '/x/1')).toBe('/x/:second');
  });
});

/** The part of Express' request that is read. */
const request = (route: unknown, baseUrl = ''): never => ({ route: { path: route }, baseUrl }) as never; // no other is made here

describe('expressRoute', () => {
  test.each([
    [request('/users/:id'), '/users/:id'],
    [request('/:id', '/users'), '/users/:id'],
    [request('/', '/users'), '/users'],
    [request(['/a', /^\/b/]), '/a|/^\\/b/'],
    [{ baseUrl: '' } as never, undefined],
  ])('%o is %s', (req, template) => {
    expect(expressRoute(req)).toBe(template);
  });
});

test('knownRoutes are those of all routers that are mounted, under their whole paths', () => {
  const app = new Koa();
  app.use((_ctx, next) => next());
  for (const router of [users, api]) app.use(router.routes());
  expect(knownRoutes(app.middleware)).toEqual([
    { method: 'GET', endpoint: '/users/:id', statuses: [200, 500, 503] },
    { method: 'GET', endpoint: '/users/me', statuses: [200, 500, 503] },
    { method: 'POST', endpoint: '/users', statuses: [200, 500, 503] },
    { method: 'GET', endpoint: '/api/users/:id/posts/:post', statuses: [200, 500, 503] },
  ]);
});
