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
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the answer is in `ctx`, whatever the type
  return undefined as never;
}
