import type Koa from 'koa';
import type { Context } from 'koa';
import type { Logger } from '../log.js';
import { measurementOf } from './measure.js';

const made = Symbol('the logger of the request');

/**
 * Gives `ctx.log` to the app: a logger whose lines have the ids of the request and of its trace. It
 * is made when it is first used.
 */
export function provideLog(app: Koa, log: Logger): void {
  Object.defineProperty(app.context, 'log', {
    configurable: true,
    get(this: Context): Logger {
      return (this[made] ??= log.child(idsOf(this)));
    },
  });
}

/** Returns the ids of a request for a line of the log. */
export function idsOf(ctx: Context): object {
  const { traceId, spanId } = measurementOf(ctx).trace;
  return { requestId: ctx.state['requestId'] as unknown, trace_id: traceId, span_id: spanId };
}
