import { Router } from '@koa/router';
import { knownRoutes } from '../../src/foreign/known-routes';

/** Returns the routes of an app with this middleware. */
function routesOf(...middleware: readonly unknown[]) {
  return knownRoutes(middleware).map(({ method, endpoint }) => `${method} ${endpoint}`);
}

test('the routes are those of all routers, under their whole paths', () => {
  const users = new Router({ prefix: '/users' });
  users.use((_ctx, next) => next());
  users.get('/:id', () => {});
  users.post('/', () => {});
  const posts = new Router();
  posts.get('/:post', () => {});
  const api = new Router({ prefix: '/api' });
  api.use('/users/:id/posts', posts.routes());
  api.get(/^\/old/, () => {});
  expect(routesOf(() => {}, users.routes(), api.routes())).toEqual([
    'GET /users/:id',
    'POST /users',
    'GET /api/users/:id/posts/:post',
  ]);
});

test('a route that takes all methods is foreseen for GET and POST', () => {
  const router = new Router();
  router.all('/all', () => {});
  router.redirect('/old', '/new');
  expect(routesOf(router.routes())).toEqual(['GET /all', 'POST /all', 'GET /old', 'POST /old']);
});

test('a method that is counted as OTHER is not foreseen', () => {
  const router = new Router();
  router.register('/some', ['GET', 'PROPFIND', 'PATCH'], () => {});
  expect(routesOf(router.routes())).toEqual(['GET /some', 'PATCH /some']);
});
