import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import Koa, { type Context } from 'koa';
import { lambdaHandler } from '../../src/serverless/lambda';

/**
 * The kinds of events, as AWS documents them, with a request for GET
 * /hello/Wörld?q=1&q=2 and the cookies a=1; b=2.
 */
const KINDS = ['apigateway-v1', 'apigateway-v2', 'function-url', 'alb', 'alb-multi-value'] as const;

interface Result {
  statusCode: number;
  headers?: Record<string, string>;
  multiValueHeaders?: Record<string, string[]>;
  cookies?: string[];
  body: string;
  isBase64Encoded: boolean;
}

function event(kind: string): Record<string, unknown> {
  const recorded: Record<string, unknown> = JSON.parse(
    readFileSync(join(__dirname, `../fixtures/events/${kind}.json`), 'utf8'),
  );
  return recorded;
}

async function send(given: object, answer: (ctx: Context) => unknown): Promise<Result> {
  const app = new Koa();
  app.use(async (ctx) => {
    ctx.body = await answer(ctx);
  });
  // The handler's result is an object to its type; what is in it is what is tested here.
  return (await lambdaHandler(app)(given, {})) as Result;
}

async function read(ctx: Context): Promise<string> {
  let text = '';
  for await (const chunk of ctx.req) text += String(chunk);
  return `${ctx.get('content-length')} ${text}`;
}

function typed(kind: string, type: string, body: unknown): Promise<Result> {
  return send(event(kind), (ctx) => {
    ctx.type = type;
    return body;
  });
}

/** The same event with another path. */
function at(path: string, kind: string): object {
  const given = event(kind);
  return given['version'] === '2.0' ? { ...given, rawPath: path, rawQueryString: '' } : { ...given, path };
}

test.each([
  { Records: [{ eventSource: 'aws:sqs', body: '{}' }] },
  { source: 'aws.events', 'detail-type': 'Scheduled Event', detail: {} },
  { requestContext: { routeKey: '$connect', eventType: 'CONNECT' } },
  { version: '2.0', path: '/', method: 'GET', headers: {}, requestContext: { serviceArn: 'a lattice' } },
])('an event that is no request (%j) is refused, and not taken for GET /', async (given) => {
  await expect(send(given, () => 'served')).rejects.toThrow('no HTTP request');
});

describe.each(KINDS)('an event from %s', (kind) => {
  test('becomes the request that the client sent', async () => {
    const { body } = await send(event(kind), (ctx) => ({
      method: ctx.method,
      path: ctx.path,
      query: ctx.query,
      a: ctx.cookies.get('a'),
      b: ctx.cookies.get('b'),
      host: ctx.host,
      protocol: ctx.get('x-forwarded-proto'),
    }));
    const given = JSON.stringify(event(kind));
    expect(JSON.parse(body)).toEqual({
      method: 'GET',
      path: '/hello/W%C3%B6rld',
      // An ALB that does not send multiple values sends the last one.
      query: { q: kind === 'alb' ? '2' : ['1', '2'] },
      a: '1',
      b: '2',
      host: /"host":\[?"([^"]+)"/i.exec(given)?.[1],
      protocol: 'https',
    });
  });

  test('brings a body, as text or base64', async () => {
    const given = { ...event(kind), body: Buffer.from('Größe').toString('base64'), isBase64Encoded: true };
    expect(await send(given, read)).toMatchObject({
      statusCode: 200,
      body: '7 Größe',
      isBase64Encoded: false,
    });
    const plain = { ...given, body: 'Größe', isBase64Encoded: false };
    expect(await send(plain, read)).toMatchObject({ body: '7 Größe' });
  });

  test('gets every cookie back', async () => {
    const result = await send(event(kind), (ctx) => {
      ctx.set('Set-Cookie', ['x=1; Path=/', 'y=2', 'z=3']);
      return 'ok';
    });
    const headers = Object.entries({ ...result.headers, ...result.multiValueHeaders });
    const fromHeaders = headers.flatMap(([name, value]) =>
      name.toLowerCase() === 'set-cookie' ? value : [],
    );
    // A function URL and an HTTP API read the list, the others the headers.
    expect([...(result.cookies ?? []), ...fromHeaders]).toEqual(['x=1; Path=/', 'y=2', 'z=3']);
  });

  test('gets bytes back as base64, and text as text', async () => {
    const bytes = Buffer.from([0, 255, 128]);
    expect(await typed(kind, 'image/png', bytes)).toMatchObject({ body: 'AP+A', isBase64Encoded: true });
    const compressed = await send(event(kind), (ctx) => {
      ctx.set('Content-Encoding', 'gzip');
      return 'x';
    });
    expect(compressed).toMatchObject({ body: 'eA==', isBase64Encoded: true });
    for (const type of ['application/problem+json', 'application/yaml', 'text/javascript', 'image/svg+xml']) {
      expect(await typed(kind, type, 'ä')).toMatchObject({ body: 'ä', isBase64Encoded: false });
    }
  });

  test('gets each value of a list of headers once', async () => {
    const { headers, multiValueHeaders } = await send(event(kind), (ctx) => {
      ctx.set('Link', ['<a>', '<b>']);
      return 'ok';
    });
    expect([headers?.['link'] ?? [], multiValueHeaders?.['link'] ?? []].flat()).toEqual(['<a>, <b>']);
  });

  test('gets text that is not UTF-8 as bytes', async () => {
    const bytes = Buffer.from('é', 'latin1').toString('base64');
    expect(await typed(kind, 'text/plain; charset=iso-8859-1', Buffer.from('é', 'latin1'))).toMatchObject({
      body: bytes,
      isBase64Encoded: true,
    });
    const written = await send(event(kind), (ctx) => {
      ctx.respond = false;
      ctx.res.setHeader('Content-Type', 'image/png');
      ctx.res.write(bytes, 'base64');
      ctx.res.end('é', 'latin1');
    });
    expect(written).toMatchObject({ body: Buffer.from('éé', 'latin1').toString('base64') });
  });

  test('gets the bytes of an answer that names a chunked coding', async () => {
    const bytes = Buffer.from([255, 13, 10, 128]);
    const result = await send(event(kind), (ctx) => {
      ctx.set('Transfer-Encoding', 'chunked');
      ctx.type = 'image/png';
      return Readable.from([bytes]);
    });
    expect(result.body).toBe(bytes.toString('base64'));
    expect({ ...result.headers, ...result.multiValueHeaders }).not.toHaveProperty('transfer-encoding');
  });

  test('fails where the answer is cut off, and does not wait for its end', async () => {
    const answer = send(event(kind), (ctx) => {
      ctx.respond = false;
      ctx.res.write('a');
      ctx.res.destroy();
    });
    await expect(answer).rejects.toThrow('cut off');
    const whole = send(event(kind), (ctx) => {
      ctx.respond = false;
      ctx.res.end('a');
      ctx.res.destroy();
    });
    await expect(whole).resolves.toMatchObject({ body: 'a' });
  });

  test('has a request id, of the gateway where it gives one', async () => {
    const { body } = await send(event(kind), (ctx) => ctx.get('x-request-id'));
    const { requestContext } = event(kind) as { requestContext: { requestId?: string } };
    expect(body).toBe(requestContext.requestId ?? '');
  });
});

test.each([
  ['alb', 'multiValueHeaders'],
  ['alb-multi-value', 'headers'],
])('%s gets no %s, which it would not read', async (kind, property) => {
  expect(await send(event(kind), () => 'ok')).not.toHaveProperty(property);
});

test.each([
  ['apigateway-v2', '/prod/a b/ü?#%', '/a%20b/%C3%BC%3F%23%25'],
  ['apigateway-v2', '/prod', '/'],
  ['apigateway-v1', '/prod/x', '/prod/x'],
  ['apigateway-v2', '/production/x', '/production/x'],
  ['apigateway-v2', '/prod/\ud800', '/%EF%BF%BD'],
  ['function-url', '/a%20b/%C3%BC%3F%25', '/a%20b/%C3%BC%3F%25'],
  ['alb', '/a%20b', '/a%20b'],
])('%s: the path %j reaches the app as %j', async (kind, path, expected) => {
  const { body } = await send(at(path, kind), (ctx) => ctx.req.url?.split('?')[0]);
  expect(body).toBe(expected);
});

const restApi = (path: string, resource: string, pathParameters: object | null) => ({
  ...event('apigateway-v1'),
  path,
  resource,
  pathParameters,
});
const httpApi = (rawPath: string, route: string, pathParameters: object) => ({
  ...event('apigateway-v2'),
  rawPath,
  rawQueryString: 'q=1',
  routeKey: route,
  pathParameters,
});

describe('behind a custom domain whose base path is left in the path', () => {
  test.each([
    ['a proxy resource', restApi('/shop/hello/Ada', '/{proxy+}', { proxy: 'hello/Ada' }), '/hello/Ada'],
    ['without one', restApi('/hello/Ada', '/{proxy+}', { proxy: 'hello/Ada' }), '/hello/Ada'],
    ['of several segments', restApi('/a/b/hello', '/{proxy+}', { proxy: 'hello' }), '/hello'],
    [
      'a resource with a parameter',
      restApi('/shop/hello/A%20B', '/hello/{name}', { name: 'A B' }),
      '/hello/A%20B',
    ],
    ['the root', restApi('/shop', '/', null), '/'],
    ['a slash at the end', restApi('/shop/docs/', '/{proxy+}', { proxy: 'docs' }), '/docs/'],
    ['what was matched is not the end', restApi('/shop/x', '/{proxy+}', { proxy: 'y' }), '/shop/x'],
    ['an HTTP API', httpApi('/prod/shop/hello/Ada', 'GET /hello/{name}', { name: 'Ada' }), '/hello/Ada'],
    ['an HTTP API without routes', httpApi('/prod/shop/hello', '$default', {}), '/shop/hello'],
  ])('%s', async (_, given, expected) => {
    const { body } = await send(given, (ctx) => ctx.req.url?.split('?')[0]);
    expect(body).toBe(expected);
  });
});

test('a query may have question marks', async () => {
  const given = { ...httpApi('/go', 'GET /go', {}), rawQueryString: 'to=http://h/p?y=1&z=2' };
  const { body } = await send(given, (ctx) => ctx.req.url);
  expect(body).toBe('/go?to=http://h/p?y=1&z=2');
});

test.each(KINDS)('%s: the commas of a list come as the client sent them', async (kind) => {
  const given = event(kind);
  const query =
    given['version'] === '2.0'
      ? { rawQueryString: 'ids=1,2&a=b%26c' }
      : {
          queryStringParameters: { ids: '1,2', a: kind.startsWith('alb') ? 'b%26c' : 'b&c' },
          multiValueQueryStringParameters: undefined,
        };
  const { body } = await send({ ...given, ...query }, (ctx) => ctx.querystring);
  expect(body).toBe('ids=1,2&a=b%26c');
});

test.each(['apigateway-v1', 'alb-multi-value'])(
  '%s: of what was sent more than once all arrives',
  async (kind) => {
    const given = event(kind);
    const multiValueHeaders = {
      ...(given['multiValueHeaders'] as object), // of these kinds
      'X-Ids': ['1', '2'],
      Cookie: ['a=1', 'b=2'],
    };
    const { body } = await send({ ...given, multiValueHeaders }, (ctx) => [
      ctx.get('x-ids'),
      ctx.get('cookie'),
      ctx.cookies.get('b'),
    ]);
    expect(JSON.parse(body)).toEqual(['1, 2', 'a=1; b=2', '2']);
  },
);

test.each([
  ['alb', { queryStringParameters: { ids: 'a%2Cb,c', 'p%5Ba%5D': '1+2%2B' } }],
  ['alb-multi-value', { multiValueQueryStringParameters: { ids: ['a%2Cb,c'], 'p%5Ba%5D': ['1+2%2B'] } }],
])('%s: the query comes as the client encoded it', async (kind, query) => {
  const { body } = await send({ ...event(kind), ...query }, (ctx) => ctx.querystring);
  expect(body).toBe('ids=a%2Cb,c&p%5Ba%5D=1+2%2B');
});
