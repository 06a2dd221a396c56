import { accessSync, constants } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { isIP } from 'node:net';

type Env = Readonly<Record<string, string | undefined>>;

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** prom-client's default buckets, in seconds. */
const DEFAULT_BUCKETS: readonly number[] = Object.freeze([
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
    ledgerDir: read('LEDGER_DIR', FOLDER, writable('/dev/shm') ? '/dev/shm' : tmpdir()),
  };
}

/**
 * Variables that a reload cannot change: where the service listens, and settings on which all
 * its processes have to agree.
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
  metricsPort,
  shutdownDelayMs,
  shutdownTimeoutMs,
}: Config): string[] {
  const problems: string[] = [];
  if (listen === undefined && metricsPort === port && port !== 0) {
    problems.push(`METRICS_PORT: expected a port other than PORT, got ${metricsPort} for both`);
  }
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    problems.push('TLS_CERT, TLS_KEY: expected both or neither, got one of them');
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

interface Kind<T> {
  readonly expected: string;
  /** Returns undefined for a bad value. */
  readonly parse: (text: string) => T | undefined;
  readonly secret?: boolean;
}

type Reader = <T, D extends T | undefined>(name: string, kind: Kind<T>, fallback: D) => T | D;

function quoted(text: string): string {
  return text.length > 80 ? `${JSON.stringify(text.slice(0, 80))} and more` : JSON.stringify(text);
}

function whole(min: number, max: number): Kind<number> {
  return {
    expected: `a whole number from ${min} to ${max}`,
    parse: (text) => (/^\d{1,15}$/.test(text) && +text >= min && +text <= max ? +text : undefined),
  };
}

function matching(expected: string, pattern: RegExp, secret = false): Kind<string> {
  return { expected, parse: (text) => (pattern.test(text) ? text : undefined), secret };
}

const PREFIX = matching('letters, digits, _ and :, not starting with a digit', /^[A-Za-z_:][\w:]*$/);

/** A token that an Authorization header can carry. */
const TOKEN = matching('visible ASCII characters without spaces', /^[\x21-\x7e]+$/, true);

const FOLDER = matching('an absolute path of a folder', /^(?:\/|[A-Za-z]:[\\/])[^\0]*$/);

const FILE = matching('an absolute path of a file', /^(?:\/|[A-Za-z]:[\\/])[^\0]*$/);

const SERVICE = matching('at most 100 letters, digits, _, . and -', /^[\w.-]{1,100}$/);

const HOST: Kind<string> = {
  expected: 'an IP address or a host name',
  parse: (text) =>
    isIP(text) > 0 || /^(?!-)[A-Za-z\d-]+(?:\.[A-Za-z\d-]+)*\.?$/.test(text) ? text : undefined,
};

/** The system has room for 107 bytes of path. */
const UNIX_SOCKET: Kind<string> = {
  expected: 'unix: and an absolute path of at most 107 bytes',
  parse: (text) =>
    /^unix:\/[^\0]*[^/\0]$/.test(text) && Buffer.byteLength(text) <= 112 ? text.slice(5) : undefined,
};

const FILE_MODE: Kind<number> = {
  expected: 'three octal digits such as 660',
  parse: (text) => (/^0?[0-7]{3}$/.test(text) ? parseInt(text, 8) : undefined),
};

const SWITCH: Kind<boolean> = {
  expected: 'on or off',
  parse: (text) => (text === 'on' ? true : text === 'off' ? false : undefined),
};

const ACCESS_LOG: Kind<'off' | 'errors' | number> = {
  expected: 'off, errors, on or a part of all between 0 and 1',
  parse: (text) => {
    if (text === 'off' || text === 'errors') return text;
    if (text === 'on') return 1;
    return /^0?\.\d{1,6}$/.test(text) && Number(text) > 0 ? Number(text) : undefined;
  },
};

const HOPS: Kind<number> = {
  expected: 'off, on (1) or a number of proxies from 1 to 16',
  parse: (text) => (text === 'off' ? 0 : text === 'on' ? 1 : whole(1, 16).parse(text)),
};

function oneOf<const T extends string>(words: readonly T[]): Kind<T> {
  return {
    expected: `one of ${words.join(', ')}`,
    parse: (text) => words.find((word) => word === text),
  };
}

const LEVEL: Kind<LogLevel> = oneOf(LOG_LEVELS);

const BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1024,
  mb: 1024 ** 2,
  gb: 1024 ** 3,
  tb: 1024 ** 4,
};

/** Reads a size in bytes, up to one of the largest unit. */
function size(largest: 'gb' | 'tb'): Kind<number> {
  const max = BYTES[largest] ?? 0;
  const units = Object.keys(BYTES).filter((unit) => (BYTES[unit] ?? 0) <= max);
  return {
    expected: `a size such as 100kb (units ${units.join(', ')}; at most 1${largest})`,
    parse: (text) => {
      const bytes = amountIn(text, BYTES, 'b');
      return bytes > 0 && bytes <= max ? bytes : undefined;
    },
  };
}

const MILLISECONDS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const DURATION: Kind<number> = {
  expected: 'a time such as 6h (units s, m, h, d; at most 365d)',
  parse: (text) => {
    const ms = amountIn(text, MILLISECONDS);
    return ms > 0 && ms <= 365 * 86_400_000 ? ms : undefined;
  },
};

/**
 * Parses an amount with a unit; NaN if it is no whole number with a known unit, or has
 * none and there is no default.
 */
function amountIn(text: string, units: Readonly<Record<string, number>>, defaultUnit = ''): number {
  const [, amount = '', unit = ''] = /^(\d{1,15})([a-z]*)$/i.exec(text) ?? [];
  return Number(amount === '' ? NaN : amount) * (units[unit.toLowerCase() || defaultUnit] ?? NaN);
}

const BUCKETS: Kind<readonly number[]> = {
  expected: 'at most 100 positive numbers of seconds in ascending order, separated by commas',
  parse: (text) => {
    const bounds = text
      .split(',')
      .map((part) => (/^\s*[\d.]+(?:e-?\d+)?\s*$/i.test(part) ? Number(part) : NaN));
    const ascending = bounds.every((bound, i) => Number.isFinite(bound) && bound > (bounds[i - 1] ?? 0));
    return ascending && bounds.length <= 100 ? Object.freeze(bounds) : undefined;
  },
};

/** A URL, which may have a password, so it is not quoted. */
const WEB_ADDRESS: Kind<string> = {
  expected: 'an http or https URL',
  parse: (text) => (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) ? text : undefined),
  secret: true,
};

function writable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
