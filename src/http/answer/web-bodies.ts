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
      body?.set?.call(this, value);
      if (value instanceof Response) correctHeaders(this, value);
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

/** Corrects the headers that Koa has copied from a Response. */
function correctHeaders(response: KoaResponse, { headers, url }: Response): void {
  const cookies = headers.getSetCookie();
  // Koa has joined them, which cookies are not made for.
  if (cookies.length > 1) response.set('Set-Cookie', cookies);
  for (const name of HOP_BY_HOP) if (headers.has(name)) response.remove(name);
  const isFetched = url !== '';
  if (!isFetched || !DECODED.test(headers.get('content-encoding') ?? '')) return;
  response.remove('Content-Encoding');
  response.remove('Content-Length');
}

function webStreamOf(value: unknown): ReadableStream | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (value instanceof Response) return value.body ?? undefined;
  return value instanceof ReadableStream ? value : undefined;
}
