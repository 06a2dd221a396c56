import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { MeasuredResponse } from './response/measured-response.js';
import { refuseLate } from './refusals.js';

/** The timers of requests that have a time of their own and are still arriving. */
const timers = new WeakMap<IncomingMessage, NodeJS.Timeout>();

/**
 * Gives a request so many milliseconds from now on to arrive, in place of the server's time for all
 * requests. Then it is a 408. Only our own server can keep to it: that of a platform has a time of its own.
 */
export function arriveWithin(ms: number, req: IncomingMessage, res: ServerResponse): void {
  if (!(res instanceof MeasuredResponse)) return;
  clearTimeout(timers.get(req));
  const timer = setTimeout(() => {
    timers.delete(req);
    if (!req.complete) refuseLate(res);
  }, ms);
  timers.set(req, timer);
  req.once('close', () => clearTimeout(timer));
}

/** Tells whether the request that is arriving on a connection has a time of its own. */
export function hasOwnTime(socket: Socket): boolean {
  const req = MeasuredResponse.latest(socket)?.req;
  return req !== undefined && !req.complete && timers.has(req);
}
