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
  const seen = (request: Koa.Request, field: string): string[] =>
    request
      .get(field)
      .split(',')
      .slice(-hops)
      .map((value) => value.trim())
      .filter((value) => value !== '');
  Object.defineProperties(app.request, {
    ips: {
      get(this: Koa.Request): string[] {
        return seen(this, 'X-Forwarded-For').map(withoutPort);
      },
    },
    host: {
      get(this: Koa.Request): string {
        const value = seen(this, 'X-Forwarded-Host')[0] ?? this.get('Host');
        return isHost(value) ? value : '';
      },
    },
    protocol: {
      get(this: Koa.Request): string {
        if ('encrypted' in this.socket) return 'https';
        return seen(this, 'X-Forwarded-Proto')[0]?.toLowerCase() === 'https' ? 'https' : 'http';
      },
    },
  });
}

/**
 * Removes the port that some proxies add, such as Azure's: with it each connection would be another client.
 */
function withoutPort(address: string): string {
  const [, v4, v6] = /^(?:([\d.]+)(?::\d+)?|"?\[([\da-f:.]+)\](?::\d+)?"?)$/i.exec(address) ?? [];
  return v4 ?? v6 ?? address;
}
