import type { ServerResponse } from 'node:http';
import type { Context } from 'koa';
import type { Logger } from '../log.js';
import { isMeasured } from './measure.js';

const made = Symbol('the logger of the request');

/**
 * Gives `ctx.log` to the contexts of an app: a logger whose lines have the ids of the request and of its
 * trace. It is made when it is first used. A middleware may set another one.
 */
export function provideLog({ context }: { readonly context: object }, log: Logger): void {
  Object.defineProperty(context, 'log', {
    configurable: true,
    get(this: Context): Logger {
      // The app's own `context` belongs to no request: nothing is kept there.
      if (!this.req) return this[made] ?? log;
      return (this[made] ??= log.child(idsOf(this)));
    },
    set(this: Context, own: unknown) {
      this[made] = own;
    },
  });
}

/** Returns the ids of a request for a line of the log; none where the request is not measured. */
export function idsOf({ res }: { readonly res: ServerResponse }): object {
  if (!isMeasured(res)) return {};
  const { requestId, trace } = res.measurement;
  return { ...(requestId !== '' && { requestId }), trace_id: trace.traceId, span_id: trace.spanId };
}
