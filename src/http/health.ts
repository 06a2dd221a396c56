import type { Context } from 'koa';

/** Alive is a process that answers. */
export function livez(_request: unknown, ctx: Context) {
  ctx.set('Cache-Control', 'no-store');
  return { status: 'ok' };
}

/** Ready is one that wants work: it is not while it drains, so that whoever balances load goes elsewhere. */
export function createReadyz(ready: () => boolean) {
  return (_request: unknown, ctx: Context) => {
    ctx.set('Cache-Control', 'no-store');
    if (ready()) return { status: 'ok' };
    ctx.status = 503;
    return { status: 'draining' };
  };
}
