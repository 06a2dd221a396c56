import fs from 'node:fs';
import os, { availableParallelism } from 'node:os';
import { ConfigError, readConfig } from '../src/config.js';

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env);
  } catch (err) {
    if (err instanceof ConfigError) return err.problems;
    throw err;
  }
  return [];
}

test('an empty environment gives the documented defaults', () => {
  expect(readConfig({ LEDGER_DIR: '/somewhere' })).toEqual({
    port: 8080,
    host: undefined,
    listen: undefined,
    listenMode: undefined,
    tlsCert: undefined,
    tlsKey: undefined,
    concurrency: availableParallelism(),
    metricsPort: undefined,
    metricsHost: '127.0.0.1',
    metricsToken: undefined,
    metricsPrefix: 'flask_app_',
    metricsBuckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    metricsPerWorker: false,
    metricsZeros: true,
    metricsMaxEndpoints: 1000,
    metricsKeep: true,
    serviceName: undefined,
    shutdownTimeoutMs: 10_000,
    shutdownDelayMs: 500,
    workerTimeoutMs: 30_000,
    bodyLimit: 102_400,
    logLevel: 'info',
    accessLog: 'errors',
    docs: true,
    statusPage: true,
    trustProxy: 0,
    workerMaxRequests: undefined,
    workerMaxRss: undefined,
    workerMaxAgeMs: undefined,
    maxEventLoopDelayMs: undefined,
    requestTimeoutMs: 30_000,
    keepAliveTimeoutMs: 65_000,
    maxHeaderSize: undefined,
    strictQuery: false,
    validateResponses: 'on',
    pushgatewayUrl: undefined,
    ledgerDir: '/somewhere',
  });
});

test('an empty variable counts as unset', () => {
  expect(readConfig({ PORT: '', METRICS_PREFIX: '', DOCS: '' })).toEqual(readConfig({}));
});

test('the configuration cannot be changed', () => {
  expect(Object.isFrozen(readConfig({}))).toBe(true);
  expect(Object.isFrozen(readConfig({ METRICS_BUCKETS: '1,2' }).metricsBuckets)).toBe(true);
});

test.each([
  ['PORT', '0', { port: 0 }],
  ['PORT', '65535', { port: 65_535 }],
  ['HOST', '::1', { host: '::1' }],
  ['HOST', 'a-b.example', { host: 'a-b.example' }],
  ['LISTEN', 'unix:/run/a b.sock', { listen: '/run/a b.sock' }],
  ['LISTEN_MODE', '660', { listenMode: 0o660 }],
  ['LISTEN_MODE', '0600', { listenMode: 0o600 }],
  ['WEB_CONCURRENCY', '3', { concurrency: 3 }],
  ['METRICS_PORT', '9100', { metricsPort: 9100 }],
  ['METRICS_TOKEN', 's3cret=', { metricsToken: 's3cret=' }],
  ['METRICS_PREFIX', 'app:v2_', { metricsPrefix: 'app:v2_' }],
  ['METRICS_BUCKETS', '.1, 1,2.5e1', { metricsBuckets: [0.1, 1, 25] }],
  ['METRICS_PER_WORKER', 'on', { metricsPerWorker: true }],
  ['METRICS_ZEROS', 'off', { metricsZeros: false }],
  ['SHUTDOWN_TIMEOUT_MS', '400', { shutdownTimeoutMs: 400, shutdownDelayMs: 100 }],
  ['SHUTDOWN_DELAY_MS', '0', { shutdownDelayMs: 0 }],
  ['WORKER_TIMEOUT_MS', '500', { workerTimeoutMs: 500 }],
  ['BODY_LIMIT', '2MB', { bodyLimit: 2_097_152 }],
  ['BODY_LIMIT', '17', { bodyLimit: 17 }],
  ['LOG_LEVEL', 'debug', { logLevel: 'debug' }],
  ['DOCS', 'off', { docs: false }],
  ['ACCESS_LOG', 'on', { accessLog: 1 }],
  ['ACCESS_LOG', '0.01', { accessLog: 0.01 }],
  ['ACCESS_LOG', 'off', { accessLog: 'off' }],
  ['STATUS_PAGE', 'off', { statusPage: false }],
  ['TRUST_PROXY', 'on', { trustProxy: 1 }],
  ['TRUST_PROXY', 'off', { trustProxy: 0 }],
  ['TRUST_PROXY', '2', { trustProxy: 2 }],
  ['WORKER_MAX_REQUESTS', '100000', { workerMaxRequests: 100_000 }],
  ['WORKER_MAX_RSS', '300mb', { workerMaxRss: 314_572_800 }],
  ['WORKER_MAX_RSS', '2gb', { workerMaxRss: 2_147_483_648 }],
  ['WORKER_MAX_AGE', '6h', { workerMaxAgeMs: 21_600_000 }],
  ['WORKER_MAX_AGE', '90s', { workerMaxAgeMs: 90_000 }],
  ['MAX_EVENT_LOOP_DELAY_MS', '250', { maxEventLoopDelayMs: 250 }],
  ['REQUEST_TIMEOUT_MS', '120000', { requestTimeoutMs: 120_000 }],
  ['KEEP_ALIVE_TIMEOUT_MS', '620000', { keepAliveTimeoutMs: 620_000 }],
  ['MAX_HEADER_SIZE', '32kb', { maxHeaderSize: 32_768 }],
  ['VALIDATE_RESPONSES', 'off', { validateResponses: 'off' }],
  ['VALIDATE_RESPONSES', 'report', { validateResponses: 'report' }],
  ['NODE_ENV', 'production', { validateResponses: 'on' }],
  ['PUSHGATEWAY_URL', 'http://127.0.0.1:9091', { pushgatewayUrl: 'http://127.0.0.1:9091' }],
])('%s=%s is understood', (name, value, expected) => {
  expect(readConfig({ [name]: value })).toMatchObject(expected);
});

test.each([
  ['PORT', ['65536', '-1', '80a', '1e3', ' 80', '0x50']],
  ['HOST', ['a b', '-x', 'http://x', '1.2.3.4:80']],
  ['LISTEN', ['/run/x', 'unix:x', 'unix:/', 'unix:/run/', '8080', `unix:/${'x'.repeat(107)}`]],
  ['TLS_CERT', ['cert.pem', './cert.pem']],
  ['TLS_KEY', ['key.pem']],
  ['TLS_CLIENT_CA', ['ca.pem', '/ca.pem']],
  ['LISTEN_MODE', ['rw', '888', '66', '7777']],
  ['WEB_CONCURRENCY', ['0', '1.5', 'auto', '100000']],
  ['METRICS_PORT', ['x']],
  ['METRICS_HOST', ['/']],
  ['METRICS_TOKEN', ['two words', 'ü', 'line\n']],
  ['METRICS_PREFIX', ['1app_', 'my-app_', 'é']],
  ['METRICS_BUCKETS', ['0,1', '1,1', '2,1', '-1', 'Infinity', '1,', ',1', '1;2', '1e999', '.', '0x1']],
  ['METRICS_PER_WORKER', ['true']],
  ['SHUTDOWN_TIMEOUT_MS', ['0', '10s', '99999999999999999999']],
  ['SHUTDOWN_DELAY_MS', ['-5', '10000']],
  ['WORKER_TIMEOUT_MS', ['10']],
  ['BODY_LIMIT', ['0', '100 kb', '1tb', '2gb', 'big']],
  ['LOG_LEVEL', ['verbose', 'INFO']],
  ['DOCS', ['1', 'ON']],
  ['ACCESS_LOG', ['2', '0', 'all', '-0.1']],
  ['TRUST_PROXY', ['yes', '0', '17', '1.5', '-1']],
  ['WORKER_MAX_REQUESTS', ['0', '1k']],
  ['WORKER_MAX_RSS', ['0', '2tb', 'mb']],
  ['WORKER_MAX_AGE', ['6', '0h', '1.5h', '366d', 'h', '1w', '9toString']],
  ['MAX_EVENT_LOOP_DELAY_MS', ['0', '10', '1s']],
  ['REQUEST_TIMEOUT_MS', ['0', '30s']],
  ['KEEP_ALIVE_TIMEOUT_MS', ['0', '-1']],
  ['MAX_HEADER_SIZE', ['0', 'big']],
  ['VALIDATE_RESPONSES', ['false']],
  ['PUSHGATEWAY_URL', ['localhost:9091', 'ftp://x', '/x']],
  ['LEDGER_DIR', ['here', './x', `/${'d'.repeat(56)}`]],
])('a bad %s is refused by name', (name, values) => {
  for (const value of values) {
    expect({ value, problems: problemsOf({ [name]: value }) }).toEqual({
      value,
      problems: [expect.stringMatching(new RegExp(`^${name}: expected .+, got .+`))],
    });
  }
});

test('every bad variable is reported at once, with what was got', () => {
  expect(problemsOf({ PORT: 'http', DOCS: 'maybe', BODY_LIMIT: 'huge' })).toEqual([
    'PORT: expected a whole number from 0 to 65535, got "http"',
    'BODY_LIMIT: expected a size such as 100kb (units b, kb, mb, gb; at most 1gb), got "huge"',
    'DOCS: expected on or off, got "maybe"',
  ]);
});

test('a folder of counts is refused whose sockets would have too long paths, also if it is the default', () => {
  const longest = `/${'d'.repeat(55)}`;
  expect(problemsOf({ LEDGER_DIR: longest })).toEqual([]);
  expect(problemsOf({ LEDGER_DIR: `/${'ü'.repeat(28)}` })).toHaveLength(1);
  const folders = jest.spyOn(fs, 'accessSync').mockImplementation(() => {
    throw new Error('/dev/shm is not there');
  });
  const temporary = jest.spyOn(os, 'tmpdir').mockReturnValue(`${longest}d`);
  expect(problemsOf({})).toEqual([
    `LEDGER_DIR, or TMPDIR where it is unset: expected an absolute path of a folder, of at most 56 bytes, got "${longest}d"`,
  ]);
  temporary.mockRestore();
  folders.mockRestore();
});

test('the metrics port cannot be the service port', () => {
  expect(problemsOf({ PORT: '8081', METRICS_PORT: '8081' })).toEqual([
    'METRICS_PORT: expected a port other than PORT, got 8081 for both',
  ]);
  expect(problemsOf({ PORT: '0', METRICS_PORT: '0' })).toEqual([]);
  expect(problemsOf({ METRICS_PORT: '8080', LISTEN: 'unix:/run/x' })).toEqual([]);
});

test('a socket of systemd is refused, and one that is for another process is not', () => {
  expect(problemsOf({ LISTEN_FDS: '1', LISTEN_PID: String(process.pid) })).toEqual([
    'LISTEN_FDS: expected no socket of systemd, got one; set PORT or LISTEN, and remove the .socket unit',
  ]);
  expect(problemsOf({ LISTEN_FDS: '1', LISTEN_PID: '1' })).toEqual([]);
});

test('a bad secret is not quoted, and a huge value is cut', () => {
  expect(problemsOf({ METRICS_TOKEN: 'hush hush' }).join('')).not.toContain('hush');
  expect(problemsOf({ PUSHGATEWAY_URL: 'user:hush@x' }).join('')).not.toContain('hush');
  expect(problemsOf({ PORT: 'x'.repeat(1e6) }).join('').length).toBeLessThan(200);
});
