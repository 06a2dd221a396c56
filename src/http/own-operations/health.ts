import type { Context } from 'koa';
import type { Findings } from './readiness.js';

/** Answers that this process is alive, since it answers at all. */
export function livez(_request: unknown, ctx: Context) {
  ctx.set('Cache-Control', 'no-store');
  return { status: 'ok' };
}

interface Readiness {
  /** Tells whether this process accepts work. */
  readonly accepting: () => boolean;
  /** Runs the checks of the service. */
  readonly readiness: () => Promise<Findings>;
}

/**
 * Makes the handler of `/readyz`. A process is ready if it accepts work and its checks hold. While it drains
 * it is not ready, whatever the checks say, so that a load balancer sends requests elsewhere.
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
