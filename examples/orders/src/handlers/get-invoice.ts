import type { Handler } from '../http/handler.js';
import { Problem } from '../http/problem.js';

export const getInvoice: Handler<'getInvoice'> = async ({ path, principal }, ctx) => {
  const invoice = await ctx.resources.orders.invoice(principal.shop, path.id);
  if (!invoice) throw new Problem(404, 'There is no invoice of such an order.');
  ctx.attachment(`${invoice.number}.pdf`);
  return invoice.file;
};
