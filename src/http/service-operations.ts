import type { Config } from '../config.js';
import type { Format } from '../metrics/exposition/gatherer.js';
import { type Described, createOpenapi, docs, docsAsset } from './docs.js';
import type { AnyHandler } from './handler.js';
import { createReadyz, livez } from './health.js';
import { createMetricsHandler } from './metrics-route.js';
import type { Findings } from './readiness.js';

/** The operations that the service handles itself, by operationId, and where they are unless the description says so. */
export const SERVICE_OPERATIONS = {
  metrics: '/metrics',
  livez: '/livez',
  readyz: '/readyz',
  docs: '/docs',
  docsAsset: '/docs/{asset}',
  openapiJson: '/openapi.json',
  openapiYaml: '/openapi.yaml',
} as const;

export type ServiceOperation = keyof typeof SERVICE_OPERATIONS;

export interface ServiceDeps {
  readonly config: Pick<Config, 'docs' | 'metricsPort'>;
  readonly contract: Described;
  /** Makes the whole exposition. */
  readonly gather: (format: Format) => Promise<Buffer>;
  /** Does this process want work? */
  readonly accepting: () => boolean;
  /** Runs the checks of the service. */
  readonly readiness: () => Promise<Findings>;
}

/** Their handlers, without those of what the configuration switches off. */
export function serviceHandlers(deps: ServiceDeps): Partial<Record<ServiceOperation, AnyHandler>> {
  const { config, contract, gather } = deps;
  return {
    livez,
    readyz: createReadyz(deps),
    ...(config.metricsPort === undefined && { metrics: createMetricsHandler({ gather }) }),
    ...(config.docs && { docs, docsAsset, ...createOpenapi(contract) }),
  };
}
