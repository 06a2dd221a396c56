import { readFile } from 'node:fs/promises';
import type { Handler } from '../http/handler.js';
import { Problem } from '../http/problem.js';

/** The file is on disk, below the limit of `x-body-limit`, and is gone after the answer. */
export const uploadInvoice: Handler<'uploadInvoice'> = async ({ path, body, principal }, ctx) => {
  const file = await readFile(body.file.path);
  if (!(await ctx.resources.orders.keepInvoice(principal.shop, path.id, body.number, file)))
    throw new Problem(404, 'There is no such order.');
};
