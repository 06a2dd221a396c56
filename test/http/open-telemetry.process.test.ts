import { connect } from 'node:net';
import { join } from 'node:path';
import { eventually } from '../support/eventually';
import { disposeAll, Service } from '../support/service';

const PRELOADED = `--require ${join(__dirname, '../fixtures/open-telemetry.js')}`;

jest.setTimeout(60_000);
afterEach(disposeAll);

interface Span {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

const SERVER = 1;

function objects<T>(text: string): T[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as T); // of programs of these tests
}

/** Spans of requests with this target. */
function spansOf(service: Service, target: string): Span[] {
  return objects<Span>(service.stderr).filter(
    ({ kind, attributes }) => kind === SERVER && Object.values(attributes).includes(target),
  );
}

test('the spans of OpenTelemetry have the route, and the ids that the log has', async () => {
  const env = { NODE_OPTIONS: PRELOADED, ACCESS_LOG: 'on', WEB_CONCURRENCY: '1' };
  const service = await Service.start({ env });
  const [traceId, parent] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
  await service.get('/hello/Ada', { headers: { traceparent: `00-${traceId}-${parent}-01` } });
  await service.get('/hello/Bob');
  await service.get('/nothing');
  const [ada, bob, nothing] = await eventually('three spans', 10_000, () => {
    const spans = ['/hello/Ada', '/hello/Bob', '/nothing'].flatMap((target) => spansOf(service, target));
    return spans.length === 3 && spans;
  });
  expect(ada).toMatchObject({ name: 'GET /hello/{name}', traceId, parent });
  expect(bob?.attributes['http.route']).toBe('/hello/{name}');
  expect(nothing?.attributes).not.toHaveProperty('http.route');
  const lines = objects<object>(service.stdout).filter(
    (line) => 'endpoint' in line && !JSON.stringify(line).includes('readyz'),
  );
  expect(lines).toMatchObject(
    [ada, bob, nothing].map((span) => ({ trace_id: span?.traceId, span_id: span?.spanId })),
  );
});

test('the span of a request to an app without a description has its endpoint as route', async () => {
  const env = { NODE_OPTIONS: PRELOADED, WEB_CONCURRENCY: '1', METRICS_MAX_ENDPOINTS: '1' };
  const service = await Service.start({ program: 'test/fixtures/named-by-path.js', env });
  await service.get('/named');
  await service.get('/too-many');
  const [named, overflow] = await eventually('two spans', 10_000, () => {
    const spans = ['/named', '/too-many'].flatMap((target) => spansOf(service, target));
    return spans.length === 2 && spans;
  });
  expect(named).toMatchObject({ name: 'GET /named', attributes: { 'http.route': '/named' } });
  expect(overflow?.attributes).not.toHaveProperty('http.route');
});

test('a request that expects a 100 has a span with its route, which ends, whether it gets the 100 or not', async () => {
  const service = await Service.start({ env: { NODE_OPTIONS: PRELOADED, WEB_CONCURRENCY: '1' } });
  for (const { type, first, status } of [
    { type: 'application/json', first: 100, status: 200 },
    { type: 'text/csv', first: 415, status: 415 },
  ]) {
    const socket = connect(service.port, '127.0.0.1').setEncoding('latin1');
    let received = '';
    socket.on('data', (text: string) => (received += text));
    socket.write(
      `POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: 15\r\nExpect: 100-continue\r\n\r\n`,
    );
    await eventually('the first answer', 10_000, () => received.startsWith(`HTTP/1.1 ${first} `));
    if (first === 100) socket.write('{"message":"x"}');
    const span = await eventually('its span', 10_000, () =>
      spansOf(service, '/echo').find(({ attributes }) => Object.values(attributes).includes(status)),
    );
    socket.destroy();
    expect(span.attributes['http.route']).toBe('/echo');
  }
});
