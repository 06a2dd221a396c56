import type { Config } from '../config.js';

/**
 * Writes the address of a service for a person.
 * @param port 0 for a Unix socket
 */
export function url(address: string, port: number, scheme = 'http'): string {
  if (port === 0) return `unix:${address}`;
  const everywhere = address === '::' || address === '0.0.0.0';
  const host = everywhere ? 'localhost' : address.includes(':') ? `[${address}]` : address;
  return `${scheme}://${host}:${port}${everywhere ? ' (all interfaces)' : ''}`;
}

/** Writes the line that says where a service is ready. */
export function readyLine(
  { concurrency, metricsHost }: Pick<Config, 'concurrency' | 'metricsHost'>,
  where: string,
  metricsPort: number | undefined,
): string {
  const workers = concurrency === 1 ? '1 worker' : `${concurrency} workers`;
  const metrics = metricsPort === undefined ? '' : `, /metrics on ${url(metricsHost, metricsPort)}`;
  return `Ready on ${where} with ${workers}${metrics}`;
}
