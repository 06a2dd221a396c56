import type { Context } from 'koa';
import type { Findings } from './readiness.js';

/** Alive is a process that answers. */
export function livez(_request: unknown, ctx: Context) {
  ctx.set('Cache-Control', 'no-store');
  return { status: 'ok' };
}

interface Readiness {
  /** Does this process want work? */
  readonly accepting: () => boolean;
  /** Runs the checks of the service. */
  readonly readiness: () => Promise<Findings>;
}

/**
 * Ready is a process that wants work and whose checks hold: while it drains it is not, so that whoever balances load goes
 * elsewhere, whatever the checks say.
 */
export function createReadyz({ accepting, readiness }: Readiness) {
  return async (_request: unknown, ctx: Context) => {
    ctx.set('Cache-Control', 'no-store');
    const checks = await readiness();
    const failing = Object.values(checks).includes('failing');
    const status = !accepting() ? 'draining' : failing ? 'failing' : 'ok';
    if (status !== 'ok') ctx.status = 503;
    return Object.keys(checks).length === 0 ? { status } : { status, checks };
  };
}
