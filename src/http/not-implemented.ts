import type { Context } from 'koa';
import { Problem } from './problem.js';

/**
 * Answers for a handler that is still to be written: a 501, with an example of its
 * later answer if there is one.
 */
export function notImplemented(ctx: Context, example?: unknown): never {
  if (example === undefined) throw new Problem(501, 'This operation is not implemented yet.');
  ctx.status = 501;
  ctx.body = example;
  return undefined as never; // the answer is in `ctx`
}
