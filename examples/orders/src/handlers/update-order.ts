import type { Handler } from '../http/handler.js';
import { Problem } from '../http/problem.js';

export const updateOrder: Handler<'updateOrder'> = async ({ path, header, body, principal }, ctx) => {
  const { orders } = ctx.resources;
  const changed = await orders.change(principal.shop, path.id, header['If-Match'], body.state);
  if (!changed) {
    if (await orders.find(principal.shop, path.id))
      throw new Problem(412, 'The order has been changed since you read it.');
    throw new Problem(404, 'There is no such order.');
  }
  ctx.set('ETag', changed.etag);
  return changed.order;
};
