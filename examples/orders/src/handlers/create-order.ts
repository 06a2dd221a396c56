import type { Handler } from '../http/handler.js';
import { ordersPlaced, orderValue } from '../order-metrics.js';

export const createOrder: Handler<'createOrder'> = async ({ body, principal }, ctx) => {
  const { order, etag } = await ctx.resources.orders.create(principal.shop, body.lines, body.note);
  ordersPlaced.inc();
  orderValue.observe(order.cents / 100);
  ctx.log.info({ order: order.id }, 'An order is placed');
  ctx.set('Location', `/orders/${order.id}`);
  ctx.set('ETag', etag);
  return order;
};
