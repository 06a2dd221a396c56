import { IncomingMessage } from 'node:http';

/** A request of a platform that has read the body, and left it in one or both of these fields. */
export type ReadRequest = IncomingMessage & { readonly rawBody?: unknown; readonly body?: unknown };

/**
 * Makes the body of a request readable once more, if the platform has read it already (Cloud
 * Functions, Firebase, an Express with a body parser). Without this the service would wait for ever
 * for a body that has come and gone.
 */
export function unread(req: ReadRequest): IncomingMessage {
  if (!req.readableDidRead) return req;
  const bytes = bodyOf(req);
  const { method, url, httpVersion, httpVersionMajor, httpVersionMinor, rawHeaders, trailers } = req;
  const again = new IncomingMessage(req.socket);
  const headers = { ...req.headers, 'content-length': String(bytes.length) };
  delete headers['transfer-encoding'];
  // Most platforms inflate the body that they read.
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

function bodyOf({ rawBody, body, headers }: ReadRequest): Buffer {
  for (const given of [rawBody, body]) {
    if (typeof given === 'string' || given instanceof Uint8Array) return Buffer.from(given);
  }
  if (body === undefined) return Buffer.alloc(0);
  const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true;
  return Buffer.from(isForm ? formText(body) : JSON.stringify(body));
}

/** Encodes a parsed form, in which a field with several values is a list. */
function formText(body: unknown): string {
  const fields = Object.entries(body ?? {}).flatMap(([name, value]) =>
    [value].flat().map((one): [string, string] => [name, String(one)]),
  );
  return new URLSearchParams(fields).toString();
}

function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}
