import type { BaseResponse, Response as KoaResponse } from 'koa';

/**
 * Makes a response cancel the web streams that were its body when it closes, as Koa destroys those of Node: one
 * that nobody reads, of a 304 or for a client that has left, would keep open what it comes from.
 */
export function cancelWebStreams(response: BaseResponse): void {
  const body = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(response), 'body');
  Object.defineProperty(response, 'body', {
    ...body,
    set(this: KoaResponse, value: unknown) {
      body?.set?.call(this, value);
      const stream = webStreamOf(value);
      if (!stream) return;
      // This rejects for a locked stream, which has been sent or is somebody else's.
      const cancel = () => void stream.cancel().catch(() => {});
      if (this.res.closed) cancel();
      else this.res.once('close', cancel);
    },
  });
}

function webStreamOf(value: unknown): ReadableStream | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (value instanceof Response) return value.body ?? undefined;
  return value instanceof ReadableStream ? value : undefined;
}
