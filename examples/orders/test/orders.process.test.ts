import { Issuer } from './issuer';
import { Postgres } from './postgres';
import { eventually } from './support/eventually';
import { Service } from './support/service';

const WORKERS = 2;
const READY_MS = 60_000;
const LINES = [
  { article: 'kettle', quantity: 2, cents: 4_990 },
  { article: 'cup', quantity: 6, cents: 450 },
];

let postgres: Postgres;
let issuer: Issuer;
let service: Service;

beforeAll(async () => {
  [postgres, issuer] = await Promise.all([Postgres.create(), Issuer.create()]);
  service = await Service.start({ program: 'dist/main.js', env: settings(), readyMs: READY_MS });
  await service.allReady(WORKERS);
}, 120_000);

afterAll(async () => {
  await service.dispose();
  await Promise.all([postgres.remove(), issuer.close()]);
}, 60_000);

function settings() {
  return {
    WEB_CONCURRENCY: String(WORKERS),
    DATABASE_URL: postgres.url,
    AUTH_ISSUER: issuer.url,
    AUTH_KEYS_URL: issuer.url,
    SHUTDOWN_DELAY_MS: '0',
  };
}

function ask(path: string, init?: RequestInit): Promise<Response> {
  return fetch(`http://127.0.0.1:${service.port}${path}`, init);
}

/** The value of a sample on `/metrics`. */
async function sample(name: string): Promise<number | undefined> {
  const text = await (await ask('/metrics')).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

interface Call {
  readonly shop?: string;
  readonly scope?: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

async function call(method: string, path: string, options: Call = {}): Promise<Response> {
  const { shop = 'tea-house', scope = 'orders:read orders:write', body, headers } = options;
  const authorization = `Bearer ${await issuer.token({ shop, scope })}`;
  const type = body && { 'content-type': 'application/json' };
  return ask(path, {
    method,
    headers: { authorization, ...type, ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
}

async function place(options: Call = {}) {
  const response = await call('POST', '/orders', { body: { lines: LINES }, ...options });
  expect(response.status).toBe(201);
  const { id } = (await response.json()) as { id: number }; // the description says so, and the service holds to it
  return { id, etag: response.headers.get('etag') ?? '' };
}

async function upload(id: number, file: Blob, number = 'RE-1'): Promise<Response> {
  const form = new FormData();
  form.set('number', number);
  form.set('file', file, 'invoice.pdf');
  const authorization = `Bearer ${await issuer.token({ shop: 'tea-house', scope: 'orders:write' })}`;
  return ask(`/orders/${id}/invoice`, { method: 'PUT', body: form, headers: { authorization } });
}

function pdf(size: number): Blob {
  return new Blob([Buffer.alloc(size, '%PDF')], { type: 'application/pdf' });
}

test('an order that is placed can be read, by its location', async () => {
  const placed = await call('POST', '/orders', { body: { lines: LINES, note: 'A gift' } });
  expect(placed.status).toBe(201);
  const order: unknown = await placed.json();
  expect(order).toMatchObject({ state: 'placed', lines: LINES, note: 'A gift', cents: 12_680 });
  const read = await call('GET', placed.headers.get('location') ?? '');
  expect(read.status).toBe(200);
  expect(await read.json()).toEqual(order);
});

test('an order that is not valid is refused with what is wrong with it', async () => {
  const refused = await call('POST', '/orders', { body: { lines: [{ ...LINES[0], quantity: 0 }] } });
  expect(refused.status).toBe(400);
  expect(await refused.json()).toMatchObject({ errors: [{ in: 'body', path: '/lines/0/quantity' }] });
});

test('whoever has an order already is told so', async () => {
  const { id, etag } = await place();
  const authorization = `Bearer ${await issuer.token({ shop: 'tea-house', scope: 'orders:read' })}`;
  // fetch would not do: it forbids caches to answer if this header is set.
  const get = (tag: string) =>
    service.get(`/orders/${id}`, { headers: { Authorization: authorization, 'If-None-Match': tag } });
  const again = await get(etag);
  expect([again.status, again.body.length]).toEqual([304, 0]);
  expect((await get('"other"')).status).toBe(200);
});

test('of two who change an order the second is refused', async () => {
  const { id, etag } = await place();
  const change = (state: string) =>
    call('PATCH', `/orders/${id}`, { body: { state }, headers: { 'if-match': etag } });
  const answers = await Promise.all([change('paid'), change('cancelled')]);
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 412]);
  const winner = answers.find(({ status }) => status === 200);
  const now = await call('GET', `/orders/${id}`);
  expect(await now.json()).toEqual(await winner?.json());
  expect(now.headers.get('etag')).toBe(winner?.headers.get('etag'));
});

test('pages lead to all orders of a shop, and to none of another', async () => {
  const shop = 'pages';
  const placed: number[] = [];
  for (let i = 0; i < 5; i++) placed.push((await place({ shop })).id);
  await place({ shop: 'another' });
  const seen: number[] = [];
  let path: string | undefined = '/orders?limit=2';
  while (path !== undefined) {
    const page: Response = await call('GET', path, { shop });
    const { orders } = (await page.json()) as { orders: { id: number }[] }; // as described
    seen.push(...orders.map(({ id }) => id));
    path = /<([^>]+)>; rel="next"/.exec(page.headers.get('link') ?? '')?.[1];
  }
  expect(seen).toEqual(placed.toReversed());
  expect((await call('GET', `/orders/${placed[0]}`, { shop: 'another' })).status).toBe(404);
});

describe('a caller', () => {
  test('without a token is told what is wanted', async () => {
    const refused = await ask('/orders');
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });

  test('whose token has expired, is for others, or is none, is refused', async () => {
    const tokens = await Promise.all([
      issuer.token({ shop: 'late', scope: 'orders:read', expires: -60 }),
      issuer.token({ shop: 'other', scope: 'orders:read', audience: 'invoices' }),
    ]);
    for (const token of [...tokens, 'no.token.atall']) {
      const refused = await ask('/orders', { headers: { authorization: `Bearer ${token}` } });
      expect(refused.status).toBe(401);
    }
  });

  test('whose token is of another issuer is refused', async () => {
    const stranger = await Issuer.create();
    const token = await stranger.token({ shop: 'tea-house', scope: 'orders:read' });
    await stranger.close();
    const refused = await ask('/orders', { headers: { authorization: `Bearer ${token}` } });
    expect(refused.status).toBe(401);
  });

  test('who may read must not write', async () => {
    const options = { scope: 'orders:read', body: { lines: LINES } };
    expect((await call('POST', '/orders', options)).status).toBe(403);
    expect((await call('GET', '/orders', { scope: 'orders:read' })).status).toBe(200);
  });
});

describe('an invoice', () => {
  test('is given back byte by byte', async () => {
    const { id } = await place();
    expect((await upload(id, pdf(1_000_000))).status).toBe(204);
    const file = await call('GET', `/orders/${id}/invoice`);
    expect(file.headers.get('content-type')).toBe('application/pdf');
    expect(file.headers.get('content-disposition')).toBe('attachment; filename="RE-1.pdf"');
    expect(Buffer.from(await file.arrayBuffer()).equals(Buffer.alloc(1_000_000, '%PDF'))).toBe(true);
  });

  test('is refused when it is too large, when its number is none, and when there is no order', async () => {
    const { id } = await place();
    expect((await upload(id, pdf(3_000_000))).status).toBe(413);
    expect((await upload(id, pdf(10), 'one')).status).toBe(400);
    expect((await upload(1_000_000, pdf(10))).status).toBe(404);
    expect((await call('GET', `/orders/${id}/invoice`)).status).toBe(404);
  });
});

test('pages of other origins may call, and read what went wrong', async () => {
  const origin = 'https://shop.example.com';
  const preflight = await ask('/orders', {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST' },
  });
  expect(preflight.status).toBe(204);
  const missing = await call('GET', '/orders/999999', { headers: { origin } });
  expect(missing.status).toBe(404);
  expect(missing.headers.get('access-control-allow-origin')).toBe('*');
});

test('every order is counted once, by whichever worker, also after one is killed', async () => {
  const orders = 'select count(*)::integer as placed, sum(cents)::integer / 100.0 as euros from orders';
  const [{ placed, euros }] = (await postgres.query(orders)) as [{ placed: number; euros: string }]; // as selected
  const counted = 'flask_app_request_count{method="POST",endpoint="/orders",http_status="201"}';
  const agree = async () => {
    expect(await sample(counted)).toBe(placed);
    expect(await sample('orders_placed_total')).toBe(placed);
    expect(await sample('orders_value_euros_sum')).toBeCloseTo(Number(euros));
  };
  // The service's own metrics are complete at every scrape, those of users are asked for every two seconds at most.
  await eventually(
    'the orders are counted',
    10_000,
    async () => (await sample('orders_placed_total')) === placed,
  );
  await agree();
  const [killed = 0] = service.workers();
  process.kill(killed, 'SIGKILL');
  await eventually('it is gone', 10_000, () => !service.workers().includes(killed));
  await service.allReady(WORKERS);
  await agree();
}, 60_000);

test('without its database the service is alive and not ready, and says why', async () => {
  const readiness = async () => (await ask('/readyz')).status;
  await postgres.stop();
  await eventually('it is not ready', 15_000, async () => (await readiness()) === 503);
  expect(await (await ask('/readyz')).json()).toMatchObject({ checks: { database: 'failing' } });
  expect((await ask('/livez')).status).toBe(200);
  expect((await call('GET', '/orders')).status).toBe(500);
  await postgres.start();
  await eventually('it is ready again', 15_000, async () => (await readiness()) === 200);
  expect((await call('GET', '/orders')).status).toBe(200);
}, 60_000);

test('a service that stops leaves no connection to the database behind', async () => {
  const name = 'ending';
  const url = `${postgres.url}?application_name=${name}`;
  const other = await Service.start({
    program: 'dist/main.js',
    env: { ...settings(), DATABASE_URL: url },
    readyMs: READY_MS,
  });
  await other.allReady(WORKERS);
  const connections = `select pid from pg_stat_activity where application_name = '${name}'`;
  expect(await postgres.query(connections)).not.toEqual([]);
  expect(await other.stop()).toEqual({ code: 0, signal: null });
  expect(await postgres.query(connections)).toEqual([]);
}, 120_000);

test('a service that does not reach its database does not start, and says so in a line', async () => {
  const env = { ...settings(), DATABASE_URL: 'postgres://orders@127.0.0.1:1/postgres' };
  const lost = await Service.start({ program: 'dist/main.js', env, readyMs: 0 });
  expect((await lost.waitForExit(READY_MS)).code).not.toBe(0);
  expect(lost.stdout + lost.stderr).toMatch(/"start" of the service failed: connect ECONNREFUSED/);
}, 90_000);
