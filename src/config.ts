import { accessSync, constants } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import {
  ACCESS_LOG,
  BUCKETS,
  DURATION,
  FILE,
  FILE_MODE,
  HOPS,
  HOST,
  type Kind,
  LEDGER_FOLDER,
  oneOf,
  PREFIX,
  SERVICE,
  size,
  SWITCH,
  TOKEN,
  UNIX_SOCKET,
  WEB_ADDRESS,
  whole,
} from './config-values.js';

type Env = Readonly<Record<string, string | undefined>>;

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** prom-client's default buckets, in seconds. */
export const DEFAULT_BUCKETS: readonly number[] = Object.freeze([
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]);

/** Reads all settings: field of `Config`, variable, kind of value, default. */
function table(read: Reader) {
  const shutdownTimeoutMs = read('SHUTDOWN_TIMEOUT_MS', whole(1, 3_600_000), 10_000);
  return {
    /** The port of the service; 0 lets the system choose a free one. */
    port: read('PORT', whole(0, 65_535), 8080),
    /** The address to listen on. Unset: all interfaces, IPv6 included. */
    host: read('HOST', HOST, undefined),
    /** The path of a Unix socket, in place of `PORT` and `HOST`. */
    listen: read('LISTEN', UNIX_SOCKET, undefined),
    /** The rights of that socket's file. Unset: as the umask has it. */
    listenMode: read('LISTEN_MODE', FILE_MODE, undefined),
    /** The files of a certificate and its private key, in PEM. Unset: plain HTTP. */
    tlsCert: read('TLS_CERT', FILE, undefined),
    tlsKey: read('TLS_KEY', FILE, undefined),
    /**
     * The file with the certificates of who signs those of clients, in PEM. Unset: no client is asked for
     * one.
     */
    tlsClientCa: read('TLS_CLIENT_CA', FILE, undefined),
    /** The number of workers. */
    concurrency: read('WEB_CONCURRENCY', whole(1, 512), availableParallelism()),
    /** A port of its own for `/metrics`. Unset: it is on `PORT`. */
    metricsPort: read('METRICS_PORT', whole(0, 65_535), undefined),
    metricsHost: read('METRICS_HOST', HOST, '127.0.0.1'),
    metricsToken: read('METRICS_TOKEN', TOKEN, undefined),
    metricsPrefix: read('METRICS_PREFIX', PREFIX, 'flask_app_'),
    /** Upper bounds of the latency histogram in seconds, without +Inf. */
    metricsBuckets: read('METRICS_BUCKETS', BUCKETS, DEFAULT_BUCKETS),
    /**
     * The most endpoints of an app without a description that are counted by name; all others are `overflow`.
     */
    metricsMaxEndpoints: read('METRICS_MAX_ENDPOINTS', whole(1, 100_000), 1_000),
    /** Adds a `worker` label to the default metrics instead of merging them. */
    metricsPerWorker: read('METRICS_PER_WORKER', SWITCH, false),
    /** Shows what the API description foresees at 0 before anybody has counted it. */
    metricsZeros: read('METRICS_ZEROS', SWITCH, true),
    /** Milliseconds from the signal to the exit, the delay below included. */
    shutdownTimeoutMs,
    /**
     * Milliseconds for which readiness is 503 and everything is still served, so that load balancers notice.
     */
    shutdownDelayMs: read('SHUTDOWN_DELAY_MS', whole(0, 3_600_000), Math.min(500, shutdownTimeoutMs / 4)),
    /** Milliseconds after which a worker that is silent, or not ready, is killed. */
    workerTimeoutMs: read('WORKER_TIMEOUT_MS', whole(200, 3_600_000), 30_000),
    /** The number of answered requests after which a worker is replaced. Unset, like the two below: never. */
    workerMaxRequests: read('WORKER_MAX_REQUESTS', whole(1, 1e12), undefined),
    /** The bytes of resident memory at which a worker is replaced. */
    workerMaxRss: read('WORKER_MAX_RSS', size('tb'), undefined),
    /** The milliseconds after which a worker is replaced. */
    workerMaxAgeMs: read('WORKER_MAX_AGE', DURATION, undefined),
    /** The delay of the event loop above which a worker refuses new requests. Unset: never. */
    maxEventLoopDelayMs: read('MAX_EVENT_LOOP_DELAY_MS', whole(20, 60_000), undefined),
    /** Milliseconds from the first byte of a request until its last one has arrived. */
    requestTimeoutMs: read('REQUEST_TIMEOUT_MS', whole(100, 86_400_000), 30_000),
    /**
     * Milliseconds for which an idle connection stays open. Common load balancers give one up after 60 s; the
     * service must not close it first, or the balancer's next request meets a closed connection.
     */
    keepAliveTimeoutMs: read('KEEP_ALIVE_TIMEOUT_MS', whole(1, 86_400_000), 65_000),
    /** The most bytes of a request's header. Unset: Node's own limit (`--max-http-header-size`, 16 KiB). */
    maxHeaderSize: read('MAX_HEADER_SIZE', size('gb'), undefined),
    /** The most bytes of an inflated body. */
    bodyLimit: read('BODY_LIMIT', size('gb'), 100 * 1024),
    logLevel: read('LOG_LEVEL', LEVEL, 'info'),
    /**
     * The answered requests that are logged: none, those with 500 and above or slower than their
     * objective, a share of all, or all.
     */
    accessLog: read('ACCESS_LOG', ACCESS_LOG, 'errors'),
    docs: read('DOCS', SWITCH, true),
    /** Whether there is a `/status` page, on the port of `/metrics`. */
    statusPage: read('STATUS_PAGE', SWITCH, true),
    /**
     * The number of proxies in front of this service that add to `X-Forwarded-*`; 0 ignores these headers.
     */
    trustProxy: read('TRUST_PROXY', HOPS, 0),
    /** The fate of an answer that contradicts the description: a 500, a line in the log, or nothing. */
    validateResponses: read('VALIDATE_RESPONSES', oneOf(['on', 'report', 'off']), 'on'),
    /** Whether a query parameter that the description does not have is a 400. */
    strictQuery: read('STRICT_QUERY', oneOf(['on', 'off']), 'off') === 'on',
    pushgatewayUrl: read('PUSHGATEWAY_URL', WEB_ADDRESS, undefined),
    /** Whether counts go on after a restart of the service. */
    metricsKeep: read('METRICS_KEEP', SWITCH, true),
    /**
     * The name by which a later start of this service finds its counts. Unset: program, `HOST`,
     * `PORT` and `METRICS_PREFIX`.
     */
    serviceName: read('SERVICE_NAME', SERVICE, undefined),
    /** The folder for the workers' counts: in memory where there is such a folder. */
    ledgerDir: read('LEDGER_DIR', LEDGER_FOLDER, writable('/dev/shm') ? '/dev/shm' : tmpdir()),
  };
}

/**
 * Variables that a reload cannot change: where the service listens, how its counts are kept, and settings on
 * which all its processes have to agree.
 */
export const NEEDS_RESTART = [
  'PORT',
  'HOST',
  'LISTEN',
  'LISTEN_MODE',
  'METRICS_PORT',
  'METRICS_HOST',
  'METRICS_TOKEN',
  'METRICS_PREFIX',
  'METRICS_BUCKETS',
  'METRICS_PER_WORKER',
  'METRICS_ZEROS',
  'METRICS_KEEP',
  'SERVICE_NAME',
  'LEDGER_DIR',
];

/** The service's configuration, frozen. */
export type Config = Readonly<ReturnType<typeof table>>;

/** Bad configuration. `problems` has one line per bad variable, with the expected and the given value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/**
 * Reads the configuration from environment variables. An empty variable counts as unset.
 * @throws ConfigError that names every bad variable at once. It never quotes a secret.
 */
export function readConfig(env: Env): Config {
  const problems: string[] = [];
  const config = table((name, kind, fallback) => {
    const text = env[name] ?? '';
    const value = text === '' ? fallback : kind.parse(text);
    if (text !== '' && value === undefined) {
      problems.push(
        `${name}: expected ${kind.expected}, got ${kind.secret === true ? 'a value that is not shown' : quoted(text)}`,
      );
    }
    return value ?? fallback;
  });
  problems.push(...contradictions(config));
  if (env['LISTEN_FDS'] !== undefined && env['LISTEN_PID'] === String(process.pid)) problems.push(ACTIVATED);
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config);
}

function contradictions({
  port,
  listen,
  tlsCert,
  tlsKey,
  tlsClientCa,
  metricsPort,
  shutdownDelayMs,
  shutdownTimeoutMs,
  ledgerDir,
}: Config): string[] {
  const problems: string[] = [];
  if (LEDGER_FOLDER.parse(ledgerDir) === undefined) {
    problems.push(
      `LEDGER_DIR, or TMPDIR where it is unset: expected ${LEDGER_FOLDER.expected}, got ${quoted(ledgerDir)}`,
    );
  }
  if (listen === undefined && metricsPort === port && port !== 0) {
    problems.push(`METRICS_PORT: expected a port other than PORT, got ${metricsPort} for both`);
  }
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    problems.push('TLS_CERT, TLS_KEY: expected both or neither, got one of them');
  }
  if (tlsClientCa !== undefined && tlsCert === undefined) {
    problems.push('TLS_CLIENT_CA: expected TLS_CERT and TLS_KEY too, got neither');
  }
  if (shutdownDelayMs >= shutdownTimeoutMs) {
    problems.push(
      `SHUTDOWN_DELAY_MS: expected less than SHUTDOWN_TIMEOUT_MS (${shutdownTimeoutMs}), got ${shutdownDelayMs}`,
    );
  }
  return problems;
}

/**
 * The socket that systemd has opened would be lost with the last worker: Node closes a socket that it shares
 * out when no worker has it any more, and cannot open it again.
 */
const ACTIVATED =
  'LISTEN_FDS: expected no socket of systemd, got one; set PORT or LISTEN, and remove the .socket unit';

/** The words by which a service is found on its host: its port, or `unix:` and its path. */
export function placeOf({ listen, port }: Pick<Config, 'listen' | 'port'>): string {
  return listen === undefined ? String(port) : `unix:${listen}`;
}

type Reader = <T, D extends T | undefined>(name: string, kind: Kind<T>, fallback: D) => T | D;

function quoted(text: string): string {
  return text.length > 80 ? `${JSON.stringify(text.slice(0, 80))} and more` : JSON.stringify(text);
}

const LEVEL: Kind<LogLevel> = oneOf(LOG_LEVELS);

function writable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
