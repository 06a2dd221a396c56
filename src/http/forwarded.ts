import type Koa from 'koa';
import { isHost } from '../server/refusals.js';

/**
 * Makes `ctx.ip`, `ctx.host` and `ctx.protocol` the values that the outermost of this many proxies has seen.
 * Each proxy adds a value at the right of `X-Forwarded-*`, or replaces the header: values further left were
 * sent by the client, who can write anything.
 */
export function trustProxies(app: Koa, hops: number): void {
  if (hops === 0) return;
  app.proxy = true;
  app.maxIpsCount = hops;
  const seen = (request: Koa.Request, field: string): string | undefined =>
    request
      .get(field)
      .split(',')
      .slice(-hops)
      .map((value) => value.trim())
      .find((value) => value !== '');
  Object.defineProperties(app.request, {
    host: {
      get(this: Koa.Request): string {
        const value = seen(this, 'X-Forwarded-Host') ?? this.get('Host');
        return isHost(value) ? value : '';
      },
    },
    protocol: {
      get(this: Koa.Request): string {
        if ('encrypted' in this.socket) return 'https';
        return seen(this, 'X-Forwarded-Proto')?.toLowerCase() ?? 'http';
      },
    },
  });
}
