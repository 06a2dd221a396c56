import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import type * as ServerlessModule from '../../src/serverless';
import { eventually } from '../support/eventually';
import { handlers } from '../fixtures/greetings/handlers';
import { parseExposition, total } from '../support/exposition';

type Serverless = typeof ServerlessModule;
interface Result {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
}

// The description in swagger/ is the user's.
jest.mock('../../src/service', () => ({ service: { description: GREETINGS, handlers } }));
const GREETINGS = join(__dirname, '../fixtures/greetings/swagger.yaml');

const variables = { ...process.env };
afterEach(() => {
  process.env = { ...variables };
});

/** Loads the module as a platform does: once per instance. */
async function load(env: Record<string, string> = {}): Promise<Serverless> {
  Object.assign(process.env, { LOG_LEVEL: 'silent', ...env });
  let loaded: Serverless | undefined;
  await jest.isolateModulesAsync(async () => {
    loaded = await import('../../src/serverless.js');
    // A metric of the service's own.
    const { durableCounter } = await import('../../src/metrics/durable-counter.js');
    durableCounter({ name: 'loads_total', help: 'Loads.' }).inc();
  });
  if (!loaded) throw new Error('not loaded');
  return loaded;
}

const functionUrl: Record<string, unknown> = JSON.parse(
  readFileSync(join(__dirname, '../fixtures/events/function-url.json'), 'utf8'),
);

async function get(serverless: Serverless, path: string): Promise<Result> {
  return (await serverless.handler({ ...functionUrl, rawPath: path, rawQueryString: '' }, {})) as Result;
}

async function listening(server: Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port; // a TCP server has no other
}

describe('an instance', () => {
  let serverless: Serverless;

  beforeAll(async () => {
    serverless = await load({ METRICS_PORT: '9464' });
  });

  test('serves the API, and its errors', async () => {
    const hello = await get(serverless, '/hello/W%C3%B6rld');
    expect(hello).toMatchObject({ statusCode: 200, body: '{"message":"Hello, Wörld!"}' });
    const missing = await get(serverless, '/nothing');
    expect(missing).toMatchObject({ statusCode: 404 });
    expect(missing.headers['content-type']).toMatch(/^application\/problem\+json/);
  });

  test('answers /metrics for itself, on the one port that there is', async () => {
    // The platform's client accepts gzip, and bytes travel as base64.
    const { body, headers } = await get(serverless, '/metrics');
    expect(headers['content-encoding']).toBe('gzip');
    const families = parseExposition(gunzipSync(Buffer.from(body, 'base64')).toString());
    const counts = families
      .get('flask_app_request_count')
      ?.samples.filter(({ value }) => value > 0)
      .map(({ labels, value }) => [labels, value]);
    expect(counts).toEqual([
      [{ method: 'GET', endpoint: '/hello/{name}', http_status: '200' }, 1],
      [{ method: 'GET', endpoint: 'unmatched', http_status: '404' }, 1],
    ]);
    expect(families.get('flask_app_requests_in_progress')?.samples[0]?.value).toBe(0);
    expect(families.has('process_cpu_seconds_total')).toBe(true);
    expect(families.get('loads_total')?.samples[0]?.value).toBe(1);
  });

  test('shows what the description foresees at 0', async () => {
    const { body } = await get(serverless, '/metrics');
    const families = parseExposition(gunzipSync(Buffer.from(body, 'base64')).toString());
    const of = { endpoint: '/hello/{name}', method: 'GET' };
    const labels = { ...of, http_status: '500' };
    expect(families.get('flask_app_request_count')?.samples).toContainEqual(
      expect.objectContaining({ labels, value: 0 }),
    );
    expect(total(families, 'flask_app_request_latency_seconds_bucket', { endpoint: '/echo' })).toBe(0);
    expect(families.get('flask_app_request_latency_seconds')?.samples).toContainEqual(
      expect.objectContaining({ labels: { endpoint: '/echo', method: 'POST' }, value: 0 }),
    );
  });

  test('serves and counts as a listener under a server that is not ours', async () => {
    const server = await listening(createServer(serverless.listener));
    const text = async (path: string) => (await fetch(`http://127.0.0.1:${portOf(server)}${path}`)).text();
    try {
      expect(await text('/hello/you')).toBe('{"message":"Hello, you!"}');
      const samples = parseExposition(await text('/metrics')).get('flask_app_request_count')?.samples;
      expect(samples?.find(({ value }) => value > 0)).toMatchObject({
        labels: { endpoint: '/hello/{name}' },
        value: 2,
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

test('pushes what it has counted after each answer as a listener, too', async () => {
  const pushed: string[] = [];
  const gateway = await listening(
    createServer((req, res) => {
      let body = '';
      req.setEncoding('utf8').on('data', (text: string) => (body += text));
      req.on('end', () => {
        pushed.push(`${req.method} ${req.url}\n${body}`);
        res.end();
      });
    }),
  );
  const serverless = await load({ PUSHGATEWAY_URL: `http://127.0.0.1:${portOf(gateway)}` });
  const server = await listening(createServer(serverless.listener));
  try {
    for (const count of [1, 2]) {
      await (await fetch(`http://127.0.0.1:${portOf(server)}/hello/you`)).text();
      const line = `flask_app_request_count{method="GET",endpoint="/hello/{name}",http_status="200"} ${count}\n`;
      await eventually('the push', 5_000, () => pushed.some((push) => push.includes(line)));
    }
    expect(pushed[0]).toMatch(/^PUT \/metrics\/job\/koa-cluster-metrics\/instance\/[\w-]+\n/);
  } finally {
    for (const one of [gateway, server]) {
      one.closeAllConnections();
      one.close();
    }
  }
});

async function* halfWay() {
  yield 'a';
  await setImmediate();
  throw new Error('half-way');
}

test('an answer that fails half-way is an error of the event, and is counted and pushed', async () => {
  let pushed = '';
  const gateway = await listening(
    createServer((req, res) => {
      req.setEncoding('utf8').on('data', (text: string) => (pushed += text));
      req.on('end', () => res.end());
    }),
  );
  process.env['LOG_LEVEL'] = 'silent';
  process.env['PUSHGATEWAY_URL'] = `http://127.0.0.1:${portOf(gateway)}`;
  try {
    const { serverless } = await import('../../src/serverless/platform.js');
    const { handler } = serverless({
      description: GREETINGS,
      handlers: { ...handlers, hello: () => halfWay() },
    });
    await expect(handler({ ...functionUrl, rawPath: '/hello/you' }, {})).rejects.toThrow('cut off');
    expect(pushed).toMatch(
      /request_count\{method="GET",endpoint="\/hello\/\{name\}",http_status="499"\} 1\n/,
    );
  } finally {
    gateway.close();
  }
});

test('answers in production with the headers that it means', async () => {
  const serverless = await load({ NODE_ENV: 'production' });
  const { statusCode, headers, body } = await get(serverless, '/hello/you');
  expect({ statusCode, body }).toEqual({ statusCode: 200, body: '{"message":"Hello, you!"}' });
  expect(Object.keys(headers).toSorted()).toEqual([
    'content-length',
    'content-type',
    'x-content-type-options',
    'x-request-id',
  ]);
});

test('has the whole body in the event: no 100 Continue gets into the answer', async () => {
  const serverless = await load();
  const given = {
    ...functionUrl,
    rawPath: '/echo',
    rawQueryString: '',
    requestContext: { http: { method: 'POST' } },
    headers: { 'content-type': 'application/json', expect: '100-continue' },
    body: '{"message":"a"}',
    isBase64Encoded: false,
  };
  expect(await serverless.handler(given, {})).toMatchObject({ statusCode: 200, body: '{"message":"a"}' });
});

test('is built at the first call, and says what is wrong with the configuration then', async () => {
  const serverless = await load({ BODY_LIMIT: 'much' });
  await expect(get(serverless, '/')).rejects.toThrow('BODY_LIMIT: expected');
  process.env['BODY_LIMIT'] = '80kb';
  await expect(get(serverless, '/')).resolves.toMatchObject({ statusCode: 200 });
});

test('a start that fails again and again leaves nothing open', async () => {
  process.env['LOG_LEVEL'] = 'silent';
  const { serverless } = await import('../../src/serverless/platform.js');
  const failing = serverless({
    description: GREETINGS,
    handlers,
    start: () => Promise.reject(new Error('no database')),
  });
  await expect(failing.handler({ ...functionUrl }, {})).rejects.toThrow('no database');
  const before = process.listenerCount('exit');
  for (let n = 0; n < 3; n += 1)
    await expect(failing.handler({ ...functionUrl }, {})).rejects.toThrow('no database');
  expect(process.listenerCount('exit')).toBe(before);
});

test('opens no port, whatever the platform calls its own', async () => {
  const serverless = await load({ PORT: '\\\\.\\pipe\\3f2a', METRICS_PORT: 'none' });
  await expect(get(serverless, '/')).resolves.toMatchObject({ statusCode: 200 });
});

test('is built while it is loaded where that is AWS Lambda', async () => {
  await expect(load({ AWS_LAMBDA_FUNCTION_NAME: 'f', BODY_LIMIT: 'much' })).rejects.toThrow(
    'BODY_LIMIT: expected',
  );
});
