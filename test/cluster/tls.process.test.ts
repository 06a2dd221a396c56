import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { selfSigned } from '../support/certificate';
import { eventually } from '../support/eventually';
import { type Family, parseExposition, total } from '../support/exposition';
import { failed, Load } from '../support/load-client';
import { disposeAll, freePort, Service } from '../support/service';

const FIXTURE = join(process.cwd(), 'test/fixtures/service.js');

jest.setTimeout(120_000);

let folder: string;
let pair: ReturnType<typeof selfSigned>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tls-test-'));
  pair = renew();
});
afterEach(async () => {
  await disposeAll();
  rmSync(folder, { recursive: true, force: true });
});

/** Puts a new certificate and its key in place. */
function renew() {
  const made = selfSigned();
  writeFileSync(join(folder, 'cert.pem'), made.cert);
  writeFileSync(join(folder, 'key.pem'), made.key);
  return made;
}

const files = () => ({ TLS_CERT: join(folder, 'cert.pem'), TLS_KEY: join(folder, 'key.pem') });

async function start(env: Record<string, string> = {}, program?: string): Promise<Service> {
  const service = await Service.start({
    readyMs: 0,
    env: { ...files(), ...env },
    ...(program && { program }),
  });
  await eventually('the service is ready', 20_000, () => service.stdout.includes('Ready on'));
  return service;
}

/** An answer, over a connection of its own that accepts this certificate alone. */
function get(port: number, path: string, ca = pair.cert): Promise<{ status?: number; body: string }> {
  return new Promise((resolve, reject) => {
    https
      .get({ host: '127.0.0.1', port, path, ca, agent: false }, (res) => {
        const status = res.statusCode ?? 0;
        text(res).then((body) => resolve({ status, body }), reject);
      })
      .on('error', reject);
  });
}

async function scrape(port: number): Promise<ReadonlyMap<string, Family>> {
  return parseExposition((await get(port, '/metrics')).body);
}

function open(port: number, ca = pair.cert): TLSSocket {
  return connect({ port, host: '127.0.0.1', ca, ALPNProtocols: ['h2', 'http/1.1'] });
}

async function reloaded(service: Service): Promise<void> {
  const old = service.workers();
  service.signal('SIGHUP');
  await eventually('all workers are new', 30_000, () => {
    const now = service.workers();
    return now.length === 2 && !now.some((pid) => old.includes(pid));
  });
}

test('it serves HTTP/1.1 over TLS; who speaks no TLS gets nothing, and is no request', async () => {
  const service = await start();
  expect(service.stdout).toContain(`Ready on https://127.0.0.1:${service.port} with 2 workers`);
  expect(await get(service.port, '/hello/you')).toEqual({ status: 200, body: '{"message":"Hello, you!"}' });
  const socket = open(service.port);
  await eventually('the handshake', 20_000, () => socket.alpnProtocol === 'http/1.1');
  socket.destroy();
  const plain = connectPlain(service.port, '127.0.0.1');
  plain.write('GET /hello/you HTTP/1.1\r\nHost: x\r\n\r\n');
  expect(await text(plain).catch(String)).not.toContain('HTTP');
  const families = await scrape(service.port);
  expect(total(families, 'flask_app_request_count', { endpoint: '/hello/{name}' })).toBe(1);
  expect(total(families, 'flask_app_request_count', { endpoint: 'malformed' })).toBe(0);
});

test('what is no HTTP inside of TLS is refused and counted', async () => {
  const service = await start();
  const socket = open(service.port);
  socket.write('NONSENSE\r\n\r\n');
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 /);
  const families = await scrape(service.port);
  expect(total(families, 'flask_app_request_count', { endpoint: 'malformed' })).toBe(1);
});

test('reloads under load fail no request, and the counts are exact', async () => {
  const service = await start();
  const to = () => open(service.port);
  const loads = [
    new Load({ port: to, rate: 150, connections: 30, path: '/hello/you' }),
    new Load({ port: to, rate: 20, connections: 'each', path: '/hello/you' }),
  ];
  await eventually('there is load', 20_000, () => loads.every(({ answered }) => answered > 30));
  await reloaded(service);
  await reloaded(service);
  const reports = await Promise.all(loads.map((load) => load.stop()));
  expect(reports.flatMap(({ failures }) => failures)).toEqual([]);
  expect(reports.map(failed)).toEqual([0, 0]);
  const answered = reports.reduce((sum, { outcomes }) => sum + outcomes.answered, 0);
  const families = await scrape(service.port);
  expect(total(families, 'flask_app_request_count', { endpoint: '/hello/{name}' })).toBe(answered);
});

test('a reload reads the files again; what is in flight ends under the old certificate', async () => {
  const service = await start({}, FIXTURE);
  const socket = open(service.port);
  socket.write('GET /stream?chunks=30&ms=100 HTTP/1.1\r\nHost: x\r\n\r\n');
  const answer = text(socket);
  await eventually('it is in flight', 10_000, async () => {
    return total(await scrape(service.port), 'flask_app_requests_in_progress') === 1;
  });
  const before = pair;
  pair = renew();
  await reloaded(service);
  expect((await get(service.port, '/livez')).status).toBe(200);
  await expect(get(service.port, '/livez', before.cert)).rejects.toThrow(/self.signed/i);
  expect(await answer).toMatch(/\r\n0\r\n\r\n$/);
});

test('a bad pair leaves everything as it was, also for workers that are replaced later', async () => {
  const service = await start();
  const before = service.workers();
  writeFileSync(files().TLS_KEY, selfSigned().key);
  const reload = promisify(execFile)(process.execPath, ['dist/cli/main.js', 'reload'], {
    env: { LEDGER_DIR: service.ledgerDir },
  });
  await expect(reload).rejects.toThrow(/Not reloaded, all is as before\. TLS_CERT, TLS_KEY: .*mismatch/);
  expect(service.workers()).toEqual(before);
  for (const pid of before) process.kill(pid, 'SIGKILL');
  await eventually('it serves again', 20_000, () =>
    get(service.port, '/livez').then(
      ({ status }) => status === 200,
      () => false,
    ),
  );
});

const JSON_ANSWER = { description: 'x', content: { 'application/json': { schema: {} } } };

/** The status and body of an answer, over a connection with these options. */
async function ask(port: number, path: string, options: ConnectionOptions): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', ca: pair.cert, ...options });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const answer = await text(socket);
  return `${answer.split(' ')[1]} ${answer.split('\r\n\r\n')[1]}`;
}

const trusting = (cert: string) => {
  writeFileSync(join(folder, 'ca.pem'), cert);
  return { TLS_CLIENT_CA: join(folder, 'ca.pem') };
};

describe('an operation that requires a client certificate', () => {
  const PROGRAM = `require(${JSON.stringify(join(process.cwd(), 'dist/main.js'))}).run({
    description: require('node:path').join(__dirname, 'api.json'),
    handlers: { mine: ({ principal }) => principal, open: () => 'open' },
    security: { certificate: ({ subject }) => (subject.CN === 'localhost' ? subject.CN : undefined) },
  });`;
  const API = {
    openapi: '3.1.0',
    info: { title: 'T', version: '1' },
    components: { securitySchemes: { certificate: { type: 'mutualTLS' } } },
    paths: {
      '/mine': {
        get: { operationId: 'mine', security: [{ certificate: [] }], responses: { 200: JSON_ANSWER } },
      },
      '/open': { get: { operationId: 'open', responses: { 200: JSON_ANSWER } } },
    },
  };

  /** One worker: sessions can't be resumed by another one. */
  async function startMutual(env: Record<string, string>): Promise<Service> {
    writeFileSync(join(folder, 'api.json'), JSON.stringify(API));
    writeFileSync(join(folder, 'main.js'), PROGRAM);
    return start({ WEB_CONCURRENCY: '1', ...env }, join(folder, 'main.js'));
  }

  test('serves who has one that TLS_CLIENT_CA has signed, and nobody else; all others serve everybody', async () => {
    const client = selfSigned();
    const { port } = await startMutual(trusting(client.cert));
    expect(await ask(port, '/mine', client)).toBe('200 "localhost"');
    for (const other of [{}, selfSigned()]) {
      expect(await ask(port, '/mine', other)).toMatch(/^401 /);
      expect(await ask(port, '/open', other)).toBe('200 "open"');
    }
  });

  test('refuses a session that was begun without one', async () => {
    const client = selfSigned();
    const { port } = await startMutual(trusting(client.cert));
    const sessions: Buffer[] = [];
    const first = connect({ port, host: '127.0.0.1', ca: pair.cert }).on('session', (session) => {
      sessions.push(session);
    });
    await eventually('a session', 20_000, () => sessions.length > 0);
    first.destroy();
    const resumed = connect({ port, host: '127.0.0.1', ca: pair.cert, session: sessions[0] });
    let isReused: boolean | undefined;
    resumed.once('secureConnect', () => (isReused = resumed.isSessionReused()));
    resumed.write('GET /mine HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(await text(resumed)).toMatch(/^HTTP\/1.1 401 /);
    expect(isReused).toBe(true);
  });

  test('serves nobody without TLS_CLIENT_CA', async () => {
    const { port } = await startMutual({});
    expect(await ask(port, '/mine', pair)).toMatch(/^401 /);
    expect(await ask(port, '/open', pair)).toBe('200 "open"');
  });
});

test.each([
  [
    'certificates of clients without TLS',
    { TLS_CERT: '', TLS_KEY: '', TLS_CLIENT_CA: '/ca' },
    /^TLS_CLIENT_CA: expected TLS_CERT .*\n$/,
  ],
  [
    'a file of clients that is no PEM',
    { TLS_CLIENT_CA: __filename },
    /^TLS_CLIENT_CA: expected certificates .*\n$/,
  ],
  ['a file that is not there', { TLS_CERT: '/none' }, /^TLS_CERT: expected a file .*\/none \(ENOENT\)\n$/],
  ['a key without a certificate', { TLS_CERT: '' }, /^TLS_CERT, TLS_KEY: expected both .*\n$/],
  ['a file that is no PEM', { TLS_CERT: __filename }, /^TLS_CERT, TLS_KEY: expected a certificate .*\n$/],
])('%s ends the start with one line', async (_what, env, line) => {
  const service = await Service.start({ readyMs: 0, env: { ...files(), ...env } });
  expect(await service.waitForExit(20_000)).toEqual({ code: 78, signal: null });
  expect(service.stderr).toMatch(line);
});

test('TLS is not switched off by a reload', async () => {
  const envFile = join(folder, 'env');
  const { TLS_CERT, TLS_KEY } = files();
  writeFileSync(envFile, `TLS_CERT=${TLS_CERT}\nTLS_KEY=${TLS_KEY}\n`);
  const service = await start({ ENV_FILE: envFile, TLS_CERT: '', TLS_KEY: '' });
  writeFileSync(envFile, '');
  await reloaded(service);
  expect(service.stdout).toContain('TLS_CERT, TLS_KEY: left as before, this needs a restart');
  expect((await get(service.port, '/livez')).status).toBe(200);
});

test('a stop lets a request finish that is in flight, and does not wait for who never shakes hands', async () => {
  const metricsPort = await freePort();
  const service = await start({ METRICS_PORT: String(metricsPort), SHUTDOWN_TIMEOUT_MS: '20000' });
  const silent = connectPlain(service.port, '127.0.0.1');
  silent.on('error', () => {});
  const socket = open(service.port);
  const head = 'Host: x\r\nContent-Type: application/json\r\nContent-Length: 18';
  socket.write(`POST /echo HTTP/1.1\r\n${head}\r\n\r\n{`);
  await eventually('the request has arrived', 10_000, async () => {
    return total(await service.scrape(metricsPort), 'flask_app_requests_in_progress') === 1;
  });
  service.signal('SIGTERM');
  await eventually('nobody listens', 10_000, () =>
    get(service.port, '/livez').then(
      () => false,
      () => true,
    ),
  );
  const answer = text(socket);
  socket.write('"message":"late"}');
  expect(await service.waitForExit(8_000)).toEqual({ code: 0, signal: null });
  expect(await answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\{"message":"late"\}$/);
});
