import type { ServerResponse } from 'node:http';

/** Characters that a status message must not have (RFC 9112 section 4). */
const ILLEGAL = /[^\t\x20-\x7e\x80-\xff]/;

/**
 * Tells whether Node will take a piece of an answer. If not, it throws, and the answer is another one: that
 * is the one to count.
 */
export function isAcceptable(res: ServerResponse, chunk: unknown, encoding: unknown): boolean {
  if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) return false;
  if (typeof chunk === 'string' && typeof encoding === 'string' && !Buffer.isEncoding(encoding)) return false;
  return hasAcceptableHead(res);
}

/** Tells the same of the last piece, which may be missing, or the callback. */
export function isAcceptableEnd(res: ServerResponse, chunk: unknown, encoding: unknown): boolean {
  if (chunk === undefined || chunk === null || typeof chunk === 'function') return hasAcceptableHead(res);
  return isAcceptable(res, chunk, encoding);
}

function hasAcceptableHead({ headersSent, statusCode, statusMessage }: ServerResponse): boolean {
  if (headersSent) return true;
  const status = Math.trunc(statusCode);
  return status >= 100 && status <= 999 && !ILLEGAL.test(statusMessage ?? '');
}
