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
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-.*)?$/;

/** The length of a `traceparent` without additions; version 00 allows none. */
const LENGTH = 55;

/**
 * Returns the trace that `traceparent` continues, with a new span; a new and unsampled one
 * if it is missing or invalid.
 */
export function traceOf({ headers }: IncomingMessage): Trace {
  const given = headers['traceparent'];
  if (typeof given !== 'string' || !isValid(given))
    return { traceId: randomHex(16), spanId: randomHex(8), parentId: undefined, sampled: false };
  return {
    traceId: given.slice(3, 35),
    spanId: randomHex(8),
    parentId: given.slice(36, 52),
    sampled: isSampled(given),
  };
}

function isValid(traceparent: string): boolean {
  return TRACEPARENT.test(traceparent) && (traceparent.length === LENGTH || !traceparent.startsWith('00'));
}

/**
 * Tells whether a `traceparent`, if it is valid, has the sampled flag: the lowest bit of its last hexadecimal
 * digit.
 */
export function isSampled(traceparent: unknown): boolean {
  return typeof traceparent === 'string' && (parseInt(traceparent.charAt(LENGTH - 1), 16) & 1) === 1;
}

const POOL = Buffer.alloc(4096);
let hex = '';
let used = 0;

/** Returns random hex from a pool: a system call for each id would cost more than all else here. */
function randomHex(bytes: number): string {
  if (used + 2 * bytes > hex.length) {
    hex = randomFillSync(POOL).toString('hex');
    used = 0;
  }
  used += 2 * bytes;
  return hex.slice(used - 2 * bytes, used);
}
