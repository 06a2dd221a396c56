import supertest from 'supertest';
import type { Order } from '../../src/orders.js';
import { startForTests, type TestedService } from '../../src/testing.js';

const ORDERS: readonly Order[] = [3, 2, 1].map((id) => ({
  id,
  state: 'placed',
  lines: [{ article: 'cup', quantity: 1, cents: 450 }],
  cents: 450,
  placed: '2026-01-01T00:00:00.000Z',
}));

/** Orders without a database. */
const orders = {
  list: (_shop: string, limit: number, after = Infinity) =>
    ORDERS.filter(({ id }) => id < after).slice(0, limit),
};

let api: TestedService;
beforeAll(async () => {
  // The service is loaded with what it is configured by; what it would reach with that is replaced.
  Object.assign(process.env, { AUTH_ISSUER: 'http://127.0.0.1', AUTH_KEYS_URL: 'http://127.0.0.1' });
  const { service } = await import('../../src/service.js');
  api = await startForTests({
    ...service,
    security: { shop: (token: string) => (token === 'tea-house' ? { shop: token } : undefined) },
    start: () => ({ orders }),
    ready: {},
    stop: () => undefined,
  });
});
afterAll(() => api.close());

test('a page that is full leads to the next one', async () => {
  const agent = supertest.agent(api.url).auth('tea-house', { type: 'bearer' });
  const { body, headers } = await agent.get('/orders?limit=2').expect(200);
  expect(body).toEqual({ orders: ORDERS.slice(0, 2), next: 2 });
  expect(headers['link']).toBe('</orders?limit=2&after=2>; rel="next"');
  await agent.get('/orders?limit=2&after=2').expect(200, { orders: ORDERS.slice(2) });
});

test('nobody lists orders without a token', async () => {
  await supertest(api.url)
    .get('/orders')
    .expect(401)
    .expect('WWW-Authenticate', /Bearer/);
});
