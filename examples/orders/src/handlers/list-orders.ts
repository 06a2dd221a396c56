import type { Handler } from '../http/handler.js';

export const listOrders: Handler<'listOrders'> = async ({ query, principal }, ctx) => {
  const { orders } = ctx.resources;
  const page = await orders.list(principal.shop, query.limit, query.after);
  const last = page.at(-1);
  // A page that is not full is the last one.
  if (!last || page.length < query.limit) return { orders: page };
  ctx.set('Link', `</orders?limit=${query.limit}&after=${last.id}>; rel="next"`);
  return { orders: page, next: last.id };
};
