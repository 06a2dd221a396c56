import { Router } from '@koa/router';
import compose from 'koa-compose';
import Koa, { type Middleware } from 'koa';
import supertest from 'supertest';
import { noteMounts } from '../../src/foreign/koa-mounts';
import { koaRoute } from '../../src/foreign/koa-route';

/** Returns the label that an app with this middleware gives a request when its answer is ready. */
async function labelOf(middleware: readonly Middleware[], method: 'get' | 'post' | 'put', path: string) {
  let seen: string | undefined = 'nothing was asked';
  const app = new Koa();
  app.silent = true;
  noteMounts(app.context);
  app.use(async (ctx, next) => {
    await next().finally(() => (seen = koaRoute(ctx)));
  });
  for (const one of middleware) app.use(one);
  await supertest(app.callback())[method](path);
  return seen;
}

/** Returns the same of an app with these routers. */
function routeOf(routers: readonly Router[], method: 'get' | 'post' | 'put', path: string) {
  const middleware = routers.flatMap((router) => [router.routes(), router.allowedMethods()]);
  return labelOf(middleware as Middleware[], method, path); // the contexts have what each of them needs
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

/** Does what koa-mount 4.2 does. */
function mount(prefix: string, ...within: Middleware[]): Middleware {
  return async (ctx, next) => {
    const { path } = ctx;
    if (path !== prefix && !path.startsWith(`${prefix}/`)) {
      await next();
      return;
    }
    const shorter = path.slice(prefix.length) || '/';
    ctx['mountPath'] = prefix;
    ctx.path = shorter;
    try {
      await compose(within)(ctx, async () => {
        ctx.path = path;
        await next();
        ctx.path = shorter;
      });
    } finally {
      ctx.path = path;
    }
  };
}

const items = new Router();
items.get('/', (ctx) => void (ctx.body = 'all'));
items.get('/items/:id', (ctx) => void (ctx.body = 'one'));
items.get('/broken', () => {
  throw new Error('broken');
});
const routes = items.routes() as Middleware; // its context has more than it needs here

/** Takes the tenant, the first segment, off the path. */
const tenant: Middleware = (ctx, next) => {
  ctx.path = ctx.path.replace(/^\/[^/]+/, '');
  return next();
};

describe('below koa-mount', () => {
  const app = [mount('/v1', routes), mount('/v2', mount('/a', mount('/none')), routes), routes];

  test.each([
    ['/v1/items/1', '/v1/items/:id'],
    ['/v2/items/1', '/v2/items/:id'],
    ['/items/1', '/items/:id'],
    ['/v1', '/v1'],
    ['/v1/', '/v1'],
    ['/v1/broken', '/v1/broken'],
    ['/v1/nothing', undefined],
  ])('%s is %s', async (path, label) => {
    expect(await labelOf(app, 'get', path)).toBe(label);
  });

  test('a mount in another has both prefixes', async () => {
    const nested = mount('/v1', mount('/shop', routes));
    expect(await labelOf([nested], 'get', '/v1/shop/items/1')).toBe('/v1/shop/items/:id');
  });

  test('a request that passes through a mount has the prefix of where it is answered', async () => {
    const passing = mount('/v1', mount('/items'), routes);
    expect(await labelOf([passing], 'get', '/v1/items/1')).toBe('/v1/items/:id');
    const plain = new Router();
    plain.get('/v1/other', (ctx) => void (ctx.body = 'other'));
    const after = plain.routes() as Middleware; // as above
    expect(await labelOf([passing, after], 'get', '/v1/other')).toBe('/v1/other');
  });

  test('a method that there is not has the prefix, too', async () => {
    expect(await labelOf([mount('/v1', routes)], 'put', '/v1/items/1')).toBe('/v1/items/:id');
  });

  test('what the client makes of the path around a mount is no part of the label', async () => {
    expect(await labelOf([tenant, mount('/v1', routes)], 'get', '/acme/v1/items/1')).toBe('/v1/items/:id');
  });
});

test('an app whose contexts have a router of their own keeps it', async () => {
  const app = new Koa();
  app.context['router'] = 'own';
  noteMounts(app.context);
  app.use((ctx) => void (ctx.body = ctx['router'] as string)); // as above
  expect((await supertest(app.callback()).get('/')).text).toBe('own');
});
