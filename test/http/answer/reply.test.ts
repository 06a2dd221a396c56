import { once } from 'node:events';
import { connect } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Context, Middleware } from 'koa';
import { Problem } from '../../../src/http/problem';
import { eventually } from '../../support/eventually';
import { ServiceUnderTest, json, operation } from '../service-under-test';

afterEach(() => ServiceUnderTest.closeAll());

type Handle = (request: unknown, ctx: Context) => unknown;

const nothing: Middleware = (_ctx, next) => next();
const after: Middleware = async (ctx, next) => {
  await next();
  ctx.set('X-After', 'yes');
};

const throwing: Middleware = async (_ctx, next) => {
  await next();
  throw new Error('no');
};

const operations = {
  '/': { get: operation('thing') },
  '/text': {
    get: operation('text', {
      responses: { 200: { description: 'Text.', content: { 'text/plain': { schema: {} } } } },
    }),
  },
  '/empty': { get: operation('empty', { responses: { 204: { description: 'Nothing.' } } }) },
  '/made': {
    get: operation('made', {
      responses: { 201: { description: 'Made.', content: { 'application/json': { schema: {} } } } },
    }),
  },
  '/bytes': {
    get: operation('bytes', {
      responses: { 200: { description: 'Bytes.', content: { 'application/octet-stream': {} } } },
    }),
  },
};

async function* letters() {
  yield 'a';
  await Promise.resolve();
  yield new Uint8Array([98]);
}

async function* objects() {
  await Promise.resolve();
  yield { id: 1 };
}

// oxlint-disable-next-line require-yield
async function* failing() {
  await Promise.resolve();
  throw new Error('no first piece');
}

/** Makes a function that calls another one and fails. */
function failingAfter(called: () => void): () => void {
  return () => {
    called();
    throw new Error('no');
  };
}

/** @param ended is called when nobody wants more pieces */
async function* endless(ended: () => void) {
  try {
    for (;;) {
      yield 'a';
      await delay(5);
    }
  } finally {
    ended();
  }
}

describe.each([
  ['without middleware', []],
  ['with one that does nothing', [nothing]],
  ['with one that sets a header after next()', [after, nothing]],
])('%s', (_, middleware: Middleware[]) => {
  describe.each(['on', 'report', 'off'])('with VALIDATE_RESPONSES=%s', (validate) => {
    async function answer(path: string, handler: Handle, method = 'GET') {
      const service = await ServiceUnderTest.start({
        paths: operations,
        handlers: { thing: handler, text: handler, empty: handler, made: handler, bytes: handler },
        middleware,
        env: { VALIDATE_RESPONSES: validate },
      });
      const found = await service.request(path, { method });
      expect(found.headers.has('x-request-id')).toBe(true);
      expect(found.headers.get('x-content-type-options')).toBe('nosniff');
      expect(found.headers.get('x-after')).toBe(middleware.includes(after) ? 'yes' : undefined);
      expect(service.counted).toEqual([[path, found.status]]);
      return { ...found, text: found.body.toString(), type: found.headers.get('content-type') };
    }

    const JSON_TYPE = 'application/json; charset=utf-8';

    test.each<[string, string, Handle, number, string | undefined, string]>([
      ['an object', '/', () => ({ a: 1, b: undefined }), 200, JSON_TYPE, '{"a":1}'],
      ['a list', '/', () => [1, undefined], 200, JSON_TYPE, '[1,null]'],
      ['a promise', '/', () => Promise.resolve({ a: 1 }), 200, JSON_TYPE, '{"a":1}'],
      ['a string as JSON', '/', () => 'é', 200, JSON_TYPE, '"é"'],
      ['an empty string as JSON', '/', () => '', 200, JSON_TYPE, '""'],
      ['null as JSON', '/', () => null, 200, JSON_TYPE, 'null'],
      ['a number as JSON', '/', () => 0, 200, JSON_TYPE, '0'],
      ['false as JSON', '/', () => false, 200, JSON_TYPE, 'false'],
      [
        'what has toJSON',
        '/',
        () => ({ at: new Date(0) }),
        200,
        JSON_TYPE,
        '{"at":"1970-01-01T00:00:00.000Z"}',
      ],
      ['encoded JSON', '/', () => Buffer.from('{ }'), 200, JSON_TYPE, '{ }'],
      ['text', '/text', () => 'é', 200, 'text/plain; charset=utf-8', 'é'],
      ['empty text', '/text', () => '', 200, 'text/plain; charset=utf-8', ''],
      ['a number as text', '/text', () => 5, 200, 'text/plain; charset=utf-8', '5'],
      ['bytes', '/bytes', () => Buffer.from('abc'), 200, 'application/octet-stream', 'abc'],
      ['a Node stream', '/bytes', () => Readable.from(['a', 'b']), 200, 'application/octet-stream', 'ab'],
      ['an empty stream', '/bytes', () => Readable.from([]), 200, 'application/octet-stream', ''],
      ['a web stream', '/bytes', () => new Blob(['ab']).stream(), 200, 'application/octet-stream', 'ab'],
      ['a Blob', '/bytes', () => new Blob(['ab']), 200, 'application/octet-stream', 'ab'],
      [
        'a Response',
        '/bytes',
        () => new Response(new Uint8Array([97, 98])),
        200,
        'application/octet-stream',
        'ab',
      ],
      [
        'a part of a typed array',
        '/bytes',
        () => new Uint8Array([97, 98, 99]).subarray(1),
        200,
        'application/octet-stream',
        'bc',
      ],
      [
        'an ArrayBuffer',
        '/bytes',
        () => new Uint8Array([97, 98]).buffer,
        200,
        'application/octet-stream',
        'ab',
      ],
      ['a generator', '/bytes', () => letters(), 200, 'application/octet-stream', 'ab'],
      ['a body set on ctx', '/', (_request, ctx) => void (ctx.body = { a: 1 }), 200, JSON_TYPE, '{"a":1}'],
      ['nothing', '/empty', () => undefined, 204, undefined, ''],
      ['the status that is described', '/made', () => ({}), 201, JSON_TYPE, '{}'],
      [
        'the type that the handler sets',
        '/bytes',
        (_request, ctx) => ((ctx.type = 'application/octet-stream;a=b'), 'text'),
        200,
        'application/octet-stream;a=b',
        'text',
      ],
    ])('%s', async (_name, path, handler, status, type, text) => {
      expect(await answer(path, handler)).toMatchObject({ status, type, text });
      const head = await answer(path, handler, 'HEAD');
      expect(head).toMatchObject({ status, type, text: '' });
    });

    test('a HEAD has the length that its GET would have', async () => {
      const { headers } = await answer('/', () => ({ a: 'é' }), 'HEAD');
      expect(headers.get('content-length')).toBe('10');
    });
  });
});

test('a generator that fails before its first piece is a 500, and one whose client leaves is ended', async () => {
  const ended = jest.fn<void, []>();
  const service = await ServiceUnderTest.start({
    paths: { '/': operations['/bytes'] },
    handlers: {
      bytes: (_request: unknown, ctx: Context) => (ctx.get('X-Fail') === '' ? endless(ended) : failing()),
    },
  });
  expect((await service.request('/', { headers: { 'X-Fail': 'yes' } })).status).toBe(500);
  const client = connect(service.port, '127.0.0.1');
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(client, 'data');
  client.destroy();
  await eventually('the generator is ended', 5000, () => ended.mock.calls.length === 1);
});

describe.each<[string, (closed: () => void) => unknown]>([
  ['a web stream', (closed) => new ReadableStream({ cancel: closed })],
  [
    'a web stream that can not be cancelled',
    (closed) => new ReadableStream({ cancel: failingAfter(closed) }),
  ],
  ['a Response', (closed) => new Response(new ReadableStream({ cancel: closed }))],
  ['a Node stream', (closed) => new PassThrough().on('close', closed)],
])('%s that nobody receives is closed', (_, make) => {
  const closed = jest.fn<void, []>();
  const set: Handle = (_request, ctx) => void (ctx.body = make(closed));
  const returned: Handle = () => make(closed);

  async function start(handler: Handle, middleware: Middleware[] = []): Promise<ServiceUnderTest> {
    closed.mockClear();
    return ServiceUnderTest.start({
      paths: { '/': operations['/bytes'] },
      handlers: { bytes: handler },
      middleware,
      env: { VALIDATE_RESPONSES: 'off' },
    });
  }
  const isClosed = () => eventually('it is closed', 5000, () => closed.mock.calls.length === 1);

  describe.each([
    ['set', set],
    ['returned', returned],
  ])('%s', (_how, handler) => {
    test.each([204, 304])('with the status %d', async (status) => {
      const found = await start(handler, [
        async (ctx, next) => {
          await next();
          ctx.status = status;
        },
      ]);
      expect((await found.request('/')).status).toBe(status);
      await isClosed();
    });

    test('for another body that is sent', async () => {
      const found = await start(handler, [
        async (ctx, next) => {
          await next();
          ctx.body = 'another';
        },
      ]);
      expect((await found.request('/')).body.toString()).toBe('another');
      await isClosed();
    });

    test('for HEAD', async () => {
      expect((await (await start(handler)).request('/', { method: 'HEAD' })).status).toBe(200);
      await isClosed();
    });

    test('after an error', async () => {
      expect((await (await start(handler, [throwing])).request('/')).status).toBe(500);
      await isClosed();
    });

    test('when the client has left', async () => {
      let began = false;
      const service = await start(async (request, ctx) => {
        began = true;
        await once(ctx.res, 'close');
        return handler(request, ctx);
      });
      const client = connect(service.port, '127.0.0.1');
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await eventually('the handler is called', 5000, () => began);
      client.destroy();
      await isClosed();
      expect(service.log).toEqual([]);
    });
  });
});

describe.each(['report', 'off'])('with VALIDATE_RESPONSES=%s', (validate) => {
  test.each([204, 205, 304])('a %d has no content, whatever its handler returns', async (status) => {
    const service = await ServiceUnderTest.start({
      paths: { '/': operations['/'] },
      handlers: {
        thing: (_request: unknown, ctx: Context) => {
          ctx.status = status;
          return { a: 1 };
        },
      },
      env: { VALIDATE_RESPONSES: validate },
    });
    const { headers, body, ...found } = await service.request('/');
    expect(found.status).toBe(status);
    expect(headers.has('content-type')).toBe(false);
    expect(headers.has('content-length')).toBe(false);
    expect(body.toString()).toBe('');
  });
});

describe.each([
  ['without middleware', []],
  ['with middleware', [nothing]],
])('what is thrown, %s', (_, middleware: Middleware[]) => {
  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;

  test.each<[string, Handle]>([
    ['an error', () => Promise.reject(new Error('no'))],
    ['a value that JSON does not have', () => cyclic],
    ['a big integer', () => 1n],
    ['nothing', () => undefined],
    [
      'a stream that fails before its first byte',
      () => {
        const stream = new PassThrough();
        stream.destroy(new Error('no'));
        return stream;
      },
    ],
    ['a stream of objects', () => Readable.from([{ id: 1 }])],
    ['a generator of objects', () => objects()],
    [
      'a stream that failed a while ago',
      async () => {
        const stream = new PassThrough().on('error', () => {});
        stream.destroy(new Error('no'));
        await new Promise((resolve) => setImmediate(resolve));
        return stream;
      },
    ],
  ])('%s is a 500 that leaves nothing of the answer that was begun', async (_name, handler) => {
    const service = await ServiceUnderTest.start({
      paths: operations,
      handlers: {
        thing: (request: unknown, ctx: Context) => {
          ctx.set({ ETag: '"1"', 'Cache-Control': 'max-age=60', 'X-Secret': '1', 'Content-Encoding': 'br' });
          return handler(request, ctx);
        },
        text: handler,
        empty: handler,
        made: handler,
        bytes: handler,
      },
      middleware,
      env: { VALIDATE_RESPONSES: 'off' },
    });
    const found = await service.request('/');
    expect(found.status).toBe(500);
    expect([...found.headers.keys()].toSorted()).toEqual([
      'connection',
      'content-length',
      'content-type',
      'date',
      'x-content-type-options',
      'x-request-id',
    ]);
    expect(json(found)['requestId']).toBe(found.headers.get('x-request-id'));
    expect(service.log).toMatchObject([{ level: 50, msg: 'Request failed' }]);
  });
});

test('a stream whose answer was ended by somebody else is an error in the log, and ends nothing', async () => {
  const service = await ServiceUnderTest.start({
    paths: { '/bytes': operations['/bytes'] },
    handlers: {
      bytes: (_request: unknown, ctx: Context) => {
        const stream = new PassThrough();
        stream.write('a');
        ctx.res.once('pipe', () => {
          ctx.res.end();
          stream.end('b');
        });
        return stream;
      },
    },
  });
  await service.request('/bytes');
  await eventually('the failure is logged', 5000, () => service.log.length > 0);
  expect(service.log).toMatchObject([{ level: 50, err: { code: 'ERR_STREAM_WRITE_AFTER_END' } }]);
  expect((await service.request('/nothing')).status).toBe(404);
});

test('a 500 and a problem keep the headers that middleware set, before and after', async () => {
  const service = await ServiceUnderTest.start({
    paths: { '/bug': { get: operation('bug') }, '/problem': { get: operation('problem') } },
    handlers: {
      bug: (_request: unknown, ctx: Context) => {
        ctx.set('Access-Control-Allow-Origin', 'nobody');
        throw new Error('no');
      },
      problem: () => {
        throw new Problem(409, 'No.');
      },
    },
    middleware: [
      async (ctx, next) => {
        ctx.set('Access-Control-Allow-Origin', '*');
        try {
          await next();
        } finally {
          ctx.append('Set-Cookie', 'a=1');
        }
      },
    ],
    env: { VALIDATE_RESPONSES: 'off' },
  });
  for (const [path, status] of [
    ['/bug', 500],
    ['/problem', 409],
  ] as const) {
    const found = await service.request(path);
    expect(found.status).toBe(status);
    expect(found.headers.get('access-control-allow-origin')).toBe('*');
    expect(found.headers.get('set-cookie')).toBe('a=1');
  }
});

test('what middleware sees after next() is what a Koa app would show it', async () => {
  const seen: unknown[] = [];
  const value = { a: 1 };
  const service = await ServiceUnderTest.start({
    paths: { '/': { get: operation('thing') } },
    handlers: { thing: () => value },
    middleware: [
      async (ctx, next) => {
        await next();
        seen.push(ctx.body === value, ctx.status, ctx.type, ctx.length, ctx.response.is('json'), ctx.message);
        ctx.body = { ...value, b: 2 };
      },
    ],
  });
  const found = await service.request('/');
  expect(seen).toEqual([true, 200, 'application/json', 7, 'json', 'OK']);
  expect(json(found)).toEqual({ a: 1, b: 2 });
});

test('next() may not be called twice, as in any Koa app', async () => {
  const service = await ServiceUnderTest.start({
    middleware: [
      async (_ctx, next) => {
        await next();
        await next();
      },
    ],
  });
  expect((await service.request('/')).status).toBe(500);
});

test('a middleware that takes a prefix away is followed by the operation that is left', async () => {
  const service = await ServiceUnderTest.start({
    middleware: [
      (ctx, next) => {
        ctx.path = ctx.path.replace(/^\/v1/, '');
        return next();
      },
    ],
  });
  expect((await service.request('/v1/hello/Ada')).status).toBe(200);
  expect((await service.request('/v1/nothing')).status).toBe(404);
  expect(service.counted).toEqual([
    ['/hello/{name}', 200],
    ['unmatched', 404],
  ]);
});

describe('whatever is thrown, the client gets a 500 and the log the cause', () => {
  const unreadable = new Error('no');
  Object.defineProperty(unreadable, 'stack', {
    get() {
      throw new Error('nobody reads this');
    },
  });
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();

  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a string', 'no'],
    ['a frozen error', Object.freeze(new Error('no'))],
    ['a problem with an invalid header', new Problem(400, 'no', { headers: { 'X-Price': '5 \u20ac' } })],
    ['a problem with an invalid header name', new Problem(503, 'no', { headers: { 'X Price': '5' } })],
    ['a problem with a status that is none', new Problem(99, 'no')],
    ['a problem with a status of a success', new Problem(200, 'no')],
    ['an error that cannot be read', unreadable],
    ['a proxy that cannot be read', proxy],
  ])('%s', async (_, thrown) => {
    for (const handler of [
      () => {
        throw thrown;
      },
      () => Promise.reject(thrown),
    ]) {
      const service = await ServiceUnderTest.start({
        paths: { '/': operations['/'] },
        handlers: { thing: handler },
        env: { VALIDATE_RESPONSES: 'off' },
      });
      const found = await service.request('/');
      expect([found.status, found.headers.get('content-type')]).toEqual([500, 'application/problem+json']);
      expect(service.log.at(-1)).toMatchObject({ level: 50, requestId: found.headers.get('x-request-id') });
      expect(service.counted).toEqual([['/', 500]]);
    }
  });
});

test.each<[string, Handle, string]>([
  ['bytes', () => Buffer.from('é', 'latin1'), 'iso-8859-1'],
  ['a stream', () => Readable.from([Buffer.from('é', 'latin1')]), 'iso-8859-1'],
  ['text, which is sent in UTF-8', () => 'é', 'utf-8'],
])('the charset of a description is that of %s', async (_, handler, charset) => {
  const content = { 'text/csv;Charset=ISO-8859-1': { schema: {} } };
  const service = await ServiceUnderTest.start({
    paths: {
      '/': { get: operation('thing', { responses: { 200: { description: 'Text.', content } } }) },
    },
    handlers: { thing: handler },
  });
  const { status, headers, body } = await service.request('/');
  expect([status, headers.get('content-type')]).toEqual([200, `text/csv; charset=${charset}`]);
  expect(new TextDecoder(charset).decode(body)).toBe('é');
});
