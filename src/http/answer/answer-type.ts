import { Stream } from 'node:stream';
import { essenceOf, isJson } from '../../openapi/media-type.js';
import { isResponse, isWebStream } from './web-bodies.js';

/**
 * Returns the `Content-Type` of a value whose type is declared as a range; `undefined` where
 * only the handler can know it.
 */
export function typeInRange(range: string, value: unknown): string | undefined {
  const found = typeOf(value);
  const [group] = range.split('/');
  return group === '*' || found.startsWith(`${group}/`) ? withCharset(found) : undefined;
}

/** Adds the charset to a type of text: all text is sent in UTF-8. */
export function withCharset(type: string): string {
  if (type.includes('charset=')) return type;
  return isJson(essenceOf(type)) || type.startsWith('text/') ? `${type}; charset=utf-8` : type;
}

const BYTES = 'application/octet-stream';

function typeOf(value: unknown): string {
  if (typeof value === 'string') return 'text/plain';
  if (value instanceof Blob) return value.type || BYTES;
  if (isResponse(value)) return value.headers.get('content-type') ?? BYTES;
  const isBytes = value instanceof Uint8Array || value instanceof Stream || isWebStream(value);
  return isBytes ? BYTES : 'application/json';
}
