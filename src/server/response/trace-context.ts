import { randomFillSync } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/**
 * The place of a request in a trace (W3C Trace Context), with ids in lower-case
 * hexadecimal, 32 and 16 digits.
 */
export interface Trace {
  readonly traceId: string;
  /** The span of this service: its log lines and exemplars carry it. */
  readonly spanId: string;
  /** The span of the caller, where it sent one. */
  readonly parentId: string | undefined;
  readonly sampled: boolean;
}

/** A `traceparent`: version, trace id, parent id, flags, and the additions of a later version. */
const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;

/** An invalid id: only zeros. */
const ZEROS = /^0+$/;

/**
 * Returns the trace that `traceparent` continues, with a new span; a new and unsampled one
 * if it is missing or invalid.
 */
export function traceOf({ headers }: IncomingMessage): Trace {
  const given = headers['traceparent'];
  const [, version, traceId = '', parentId = '', flags = '', more] =
    (typeof given === 'string' && TRACEPARENT.exec(given)) || [];
  const invalid = version === undefined || version === 'ff' || (version === '00' && more !== undefined);
  if (invalid || ZEROS.test(traceId) || ZEROS.test(parentId)) {
    return { traceId: randomHex(16), spanId: randomHex(8), parentId: undefined, sampled: false };
  }
  return { traceId, spanId: randomHex(8), parentId, sampled: (parseInt(flags, 16) & 1) === 1 };
}

const POOL = Buffer.alloc(4096);
let used = POOL.length;

/** Returns random hex from a pool: a system call for each id would cost more than all else here. */
function randomHex(bytes: number): string {
  if (used + bytes > POOL.length) {
    randomFillSync(POOL);
    used = 0;
  }
  used += bytes;
  return POOL.toString('hex', used - bytes, used);
}
