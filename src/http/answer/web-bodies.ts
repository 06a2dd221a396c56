import type { ServerResponse } from 'node:http';
import type { BaseResponse, Response as KoaResponse } from 'koa';

/**
 * Makes a response take web streams and Responses of `fetch` for its body as it takes a stream of Node. It
 * cancels them when it closes: one that nobody reads, of a 304 or for a client that has left, would keep open
 * what it comes from.
 */
export function takeWebBodies(response: BaseResponse): void {
  const body = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(response), 'body');
  Object.defineProperty(response, 'body', {
    ...body,
    set(this: KoaResponse, value: unknown) {
      const cookies = this.res.getHeader('Set-Cookie');
      body?.set?.call(this, value);
      if (isResponse(value)) correctHeaders(this, value, cookies);
      const stream = webStreamOf(value);
      if (!stream) return;
      // This rejects for a locked stream, which has been sent or is somebody else's.
      const cancel = () => void stream.cancel().catch(() => {});
      if (this.res.closed) cancel();
      else this.res.once('close', cancel);
    },
  });
}

/** Fields about the connection on which a Response came (RFC 9110 section 7.6.1). */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'];

/** Content codings that `fetch` decodes. It leaves the field, and the length of the encoded content. */
const DECODED = /^(?:(?:x-)?gzip|deflate|br|zstd)$/i;

/**
 * Corrects the headers that Koa has copied from a Response.
 * @param cookies the cookies that were set before
 */
function correctHeaders(
  response: KoaResponse,
  { headers, url }: Response,
  cookies: ReturnType<ServerResponse['getHeader']> = [],
): void {
  const all = [cookies, headers.getSetCookie()].flat().map(String);
  // Koa has replaced those from before, and joined several, which cookies are not made for.
  if (all.length > 0) response.set('Set-Cookie', all);
  for (const name of HOP_BY_HOP) if (headers.has(name)) response.remove(name);
  const isFetched = url !== '';
  if (!isFetched || !DECODED.test(headers.get('content-encoding') ?? '')) return;
  response.remove('Content-Encoding');
  response.remove('Content-Length');
}

function webStreamOf(value: unknown): ReadableStream | undefined {
  if (isResponse(value)) return value.body ?? undefined;
  return isWebStream(value) ? value : undefined;
}

/**
 * Tells whether a value is a Response of `fetch`. Its tag is looked at first: Node loads all of `fetch`, 9
 * MB, when somebody first mentions `Response`.
 */
export function isResponse(value: unknown): value is Response {
  return tagOf(value) === '[object Response]' && value instanceof Response;
}

/** Tells whether a value is a web stream. Node loads those, too, when somebody first mentions them: 2 MB. */
export function isWebStream(value: unknown): value is ReadableStream {
  return tagOf(value) === '[object ReadableStream]' && value instanceof ReadableStream;
}

function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value);
}
