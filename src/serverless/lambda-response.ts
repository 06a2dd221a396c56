import type { RequestListener, ServerResponse } from 'node:http';

/** A response of serverless-http. It keeps the answer, since it has no connection. */
export type LambdaResponse = ServerResponse & { headers: Record<string, string> };

/**
 * Makes a listener whose answers come into the result of an event as a client would get them. serverless-http
 * waits for ever for an answer that is cut off, reads a chunked one as UTF-8, and every text that is written
 * too.
 */
export function answering(listener: RequestListener): RequestListener {
  return (req, res) => {
    res.destroy = (error) => {
      setImmediate(cutOff, res, error); // nobody listens for its error earlier
      return res;
    };
    const writeHead = res.writeHead.bind(res);
    res.writeHead = (...args: unknown[]) => {
      res.removeHeader('Transfer-Encoding');
      Reflect.apply(writeHead, res, args);
      return res;
    };
    writeBytes(res, 'write');
    writeBytes(res, 'end');
    listener(req, res);
  };
}

/** Ends an answer as one that never comes: the event fails, and its client gets a 502 of the gateway. */
function cutOff(res: ServerResponse, error = new Error('The answer was cut off')): void {
  if (res.writableEnded) return;
  res.emit('error', error);
  res.emit('close');
}

/** Makes a method take a text in its encoding. */
function writeBytes(res: ServerResponse, method: 'write' | 'end'): void {
  const send: (...args: never[]) => unknown = res[method].bind(res);
  const encoded = (part: unknown, encoding: unknown, ...more: unknown[]): unknown =>
    typeof part === 'string' && typeof encoding === 'string' && Buffer.isEncoding(encoding)
      ? Reflect.apply(send, res, [Buffer.from(part, encoding), ...more])
      : Reflect.apply(send, res, [part, encoding, ...more]);
  Object.assign(res, { [method]: encoded });
}

/**
 * Joins the values of a header that was set as a list. serverless-http would tell the gateway both the list
 * and the joined text, and the gateway would send both.
 */
export function joinLists(res: LambdaResponse): void {
  for (const [name, value] of Object.entries(res.getHeaders()))
    if (Array.isArray(value) && name !== 'set-cookie') res.headers[name] = value.join(', ');
}
