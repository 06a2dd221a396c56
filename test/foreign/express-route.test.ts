import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expressRoute, noteRoute } from '../../src/foreign/express-route';

/** Makes a request to which Express' routers have done this, one after the other. */
function request(...done: readonly object[]): IncomingMessage {
  const req = new IncomingMessage(new Socket());
  noteRoute(req);
  for (const fields of done) Object.assign(req, fields);
  return req;
}

test.each<[string, IncomingMessage, string | undefined]>([
  ['a route of the app', request({ baseUrl: '', route: { path: '/users/:id' } }), '/users/:id'],
  ['one of a mounted router', request({ baseUrl: '/users' }, { route: { path: '/:id' } }), '/users/:id'],
  ['the root of one', request({ baseUrl: '/users' }, { route: { path: '/' } }), '/users'],
  ['a list of paths', request({ route: { path: ['/a', /^\/b/] } }), '/a|/^\\/b/'],
  ['none', request({ baseUrl: '/users' }, { baseUrl: '' }), undefined],
])('the label of %s', (_name, req, label) => {
  expect(expressRoute(req)).toBe(label);
});

test('a route keeps its mount when its router is left by `next`', () => {
  const req = request({ baseUrl: '/api/users' }, { route: { path: '/:id' } }, { baseUrl: '' });
  expect(expressRoute(req)).toBe('/api/users/:id');
  expect(req).toHaveProperty('route', { path: '/:id' });
});

test('of two routes that match it is the later one', () => {
  const req = request(
    { baseUrl: '/a', route: { path: '/:id' } },
    { baseUrl: '/b' },
    { route: { path: '/' } },
  );
  expect(expressRoute(req)).toBe('/b');
});
