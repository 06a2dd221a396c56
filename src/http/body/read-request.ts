import { IncomingMessage } from 'node:http';
import { essenceOf, isJson } from '../../openapi/media-type.js';

/** The fields in one or both of which a parser leaves the body that it has read. */
interface Left {
  readonly rawBody?: unknown;
  readonly body?: unknown;
}

/** A request whose body a platform may have read. */
export type ReadRequest = IncomingMessage & Left;

/** Tells whether somebody has read the body of a request, or a part of it. */
export function wasRead(req: IncomingMessage): boolean {
  return req.readableDidRead || req.readableEnded;
}

/**
 * Makes the body of a request readable once more, if a platform (Cloud Functions, Firebase, an Express with a
 * body parser) or a middleware has read it. Without this the service would wait for ever for a body that has
 * come and gone. Returns the request itself if nothing has been read, or if nothing was left of which the
 * body can be made.
 */
export function unread(req: ReadRequest, left: Left = req): IncomingMessage {
  const bytes = wasRead(req) ? bytesOf(req, left) : undefined;
  if (!bytes) return req;
  const { method, url, httpVersion, httpVersionMajor, httpVersionMinor, rawHeaders, trailers } = req;
  const again = new IncomingMessage(req.socket);
  const headers = { ...req.headers, 'content-length': String(bytes.length) };
  delete headers['transfer-encoding'];
  // Most parsers inflate the body that they read.
  if (headers['content-encoding'] !== 'gzip' || !isGzip(bytes)) delete headers['content-encoding'];
  Object.assign(again, {
    method,
    url,
    httpVersion,
    httpVersionMajor,
    httpVersionMinor,
    rawHeaders,
    trailers,
  });
  Object.assign(again, { headers, complete: true, _read: () => {} });
  if (bytes.length > 0) again.push(bytes);
  again.push(null);
  return again;
}

function bytesOf({ headers, readableDidRead }: IncomingMessage, { rawBody, body }: Left): Buffer | undefined {
  const type = essenceOf(headers['content-type'] ?? '');
  for (const given of isJson(type) && isChanged(body, rawBody) ? [body] : [rawBody, body]) {
    if (typeof given === 'string' || given instanceof Uint8Array) return Buffer.from(given);
  }
  if (!readableDidRead) return Buffer.alloc(0);
  const text =
    type === 'application/x-www-form-urlencoded'
      ? formText(body)
      : isJson(type)
        ? JSON.stringify(body)
        : undefined;
  return text === undefined ? undefined : Buffer.from(text);
}

/**
 * Tells whether a value is another than its JSON text has. A middleware has changed it then, for example to
 * remove a field that the client may not set.
 */
function isChanged(value: unknown, text: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return JSON.stringify(JSON.parse(String(text))) !== JSON.stringify(value);
  } catch {
    return false; // the text is compressed, or no JSON
  }
}

/** Encodes a parsed form, in which a field with several values is a list; `undefined` where it is none. */
function formText(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(body)) {
    for (const one of [value].flat() as unknown[]) {
      if (typeof one !== 'string') return undefined;
      form.append(name, one);
    }
  }
  return form.toString();
}

function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}
