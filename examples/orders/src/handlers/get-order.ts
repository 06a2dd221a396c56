import type { Handler } from '../http/handler.js';
import { Problem } from '../http/problem.js';

/** A caller who has the order already says so with If-None-Match; koa-conditional-get makes that a 304. */
export const getOrder: Handler<'getOrder'> = async ({ path, principal }, ctx) => {
  const found = await ctx.resources.orders.find(principal.shop, path.id);
  if (!found) throw new Problem(404, 'There is no such order.');
  ctx.set('ETag', found.etag);
  return found.order;
};
