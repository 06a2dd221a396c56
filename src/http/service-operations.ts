import type { Config } from '../config.js';
import type { Format } from '../metrics/exposition/gatherer.js';
import { type Described, createOpenapi, docs, docsAsset } from './docs.js';
import type { AnyHandler } from './handler.js';
import { createReadyz, livez } from './health.js';
import { createMetricsHandler } from './metrics-route.js';

/** The operations that the service handles itself when a description has them. */
export const SERVICE_OPERATIONS = [
  'metrics',
  'livez',
  'readyz',
  'docs',
  'docsAsset',
  'openapiJson',
  'openapiYaml',
] as const;

export type ServiceOperation = (typeof SERVICE_OPERATIONS)[number];

export interface ServiceDeps {
  readonly config: Pick<Config, 'bodyLimit' | 'docs' | 'metricsPort' | 'metricsToken' | 'metricsZeros'>;
  readonly contract: Described;
  /** Makes the whole exposition. */
  readonly gather: (format: Format) => Promise<Buffer>;
  /** Does this process want work? */
  readonly ready: () => boolean;
}

/** Their handlers, without those of what the configuration switches off. */
export function serviceHandlers(deps: ServiceDeps): Partial<Record<string, AnyHandler>> {
  const { config, contract, gather, ready } = deps;
  return {
    livez,
    readyz: createReadyz(ready),
    ...(config.metricsPort === undefined && {
      metrics: createMetricsHandler({ gather, token: config.metricsToken }),
    }),
    ...(config.docs && { docs, docsAsset, ...createOpenapi(contract) }),
  };
}
