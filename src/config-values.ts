import { isIP } from 'node:net';

/** A kind of value that a variable can have. */
export interface Kind<T> {
  /** Describes the valid values, for an error. */
  readonly expected: string;
  /** Returns undefined for a bad value. */
  readonly parse: (text: string) => T | undefined;
  /** Whether an error must not quote the value. */
  readonly secret?: boolean;
}

export function whole(min: number, max: number): Kind<number> {
  return {
    expected: `a whole number from ${min} to ${max}`,
    parse: (text) => (/^\d{1,15}$/.test(text) && +text >= min && +text <= max ? +text : undefined),
  };
}

function matching(expected: string, pattern: RegExp, secret = false): Kind<string> {
  return { expected, parse: (text) => (pattern.test(text) ? text : undefined), secret };
}

export const PREFIX = matching('letters, digits, _ and :, not starting with a digit', /^[A-Za-z_:][\w:]*$/);

/** A token that an Authorization header can carry. */
export const TOKEN = matching('visible ASCII characters without spaces', /^[\x21-\x7e]+$/, true);

export const FILE = matching('an absolute path of a file', /^(?:\/|[A-Za-z]:[\\/])[^\0]*$/);

export const SERVICE = matching('at most 100 letters, digits, _, . and -', /^[\w.-]{1,100}$/);

export const HOST: Kind<string> = {
  expected: 'an IP address or a host name',
  parse: (text) =>
    isIP(text) > 0 || /^(?!-)[A-Za-z\d-]+(?:\.[A-Za-z\d-]+)*\.?$/.test(text) ? text : undefined,
};

/**
 * The bytes of a socket's path for which the system has room (unix(7)). Node cuts a longer one off silently.
 */
const SOCKET_PATH_BYTES = process.platform === 'linux' ? 107 : 103;

export const UNIX_SOCKET: Kind<string> = {
  expected: `unix: and an absolute path of at most ${SOCKET_PATH_BYTES} bytes`,
  parse: (text) =>
    /^unix:\/[^\0]*[^/\0]$/.test(text) && Buffer.byteLength(text) <= 5 + SOCKET_PATH_BYTES
      ? text.slice(5)
      : undefined,
};

/** The longest path of a socket below `LEDGER_DIR`. */
const LONGEST_SOCKET = '/koa-cluster-metrics-0123456789ab-9/4294967295.sock';
const LEDGER_DIR_BYTES = SOCKET_PATH_BYTES - LONGEST_SOCKET.length;

export const LEDGER_FOLDER: Kind<string> = {
  expected: `an absolute path of a folder, of at most ${LEDGER_DIR_BYTES} bytes`,
  parse: (text) =>
    FILE.parse(text) !== undefined && Buffer.byteLength(text) <= LEDGER_DIR_BYTES ? text : undefined,
};

export const FILE_MODE: Kind<number> = {
  expected: 'three octal digits such as 660',
  parse: (text) => (/^0?[0-7]{3}$/.test(text) ? parseInt(text, 8) : undefined),
};

export const SWITCH: Kind<boolean> = {
  expected: 'on or off',
  parse: (text) => (text === 'on' ? true : text === 'off' ? false : undefined),
};

export const ACCESS_LOG: Kind<'off' | 'errors' | number> = {
  expected: 'off, errors, on or a part of all between 0 and 1',
  parse: (text) => {
    if (text === 'off' || text === 'errors') return text;
    if (text === 'on') return 1;
    return /^0?\.\d{1,6}$/.test(text) && Number(text) > 0 ? Number(text) : undefined;
  },
};

export const HOPS: Kind<number> = {
  expected: 'off, on (1) or a number of proxies from 1 to 16',
  parse: (text) => (text === 'off' ? 0 : text === 'on' ? 1 : whole(1, 16).parse(text)),
};

export function oneOf<const T extends string>(words: readonly T[]): Kind<T> {
  return {
    expected: `one of ${words.join(', ')}`,
    parse: (text) => words.find((word) => word === text),
  };
}

const BYTES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1024,
  mb: 1024 ** 2,
  gb: 1024 ** 3,
  tb: 1024 ** 4,
};

/** Reads a size in bytes, up to one of the largest unit. */
export function size(largest: 'gb' | 'tb'): Kind<number> {
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

export const DURATION: Kind<number> = {
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

export const BUCKETS: Kind<readonly number[]> = {
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
export const WEB_ADDRESS: Kind<string> = {
  expected: 'an http or https URL',
  parse: (text) => (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) ? text : undefined),
  secret: true,
};
