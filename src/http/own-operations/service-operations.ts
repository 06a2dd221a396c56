import type { Config } from '../../config.js';
import type { Format } from '../../metrics/exposition/gatherer.js';
import { type Described, createOpenapi, docs, docsAsset } from './docs.js';
import type { AnyHandler } from '../handler.js';
import { createReadyz, livez } from './health.js';
import { createMetricsHandler } from './metrics-route.js';
import { type Objective, readObjectives } from '../../openapi/objectives.js';
import { statusHandlers } from './status-page.js';
import type { Findings } from './readiness.js';

/** The operations that the service handles itself, by operationId, and where they are unless the description says so. */
export const SERVICE_OPERATIONS = {
  metrics: '/metrics',
  status: '/status',
  statusAsset: '/status/{asset}',
  livez: '/livez',
  readyz: '/readyz',
  docs: '/docs',
  docsAsset: '/docs/{asset}',
  openapiJson: '/openapi.json',
  openapiYaml: '/openapi.yaml',
} as const;

/** By these others judge the service: they are served however much there is to do. */
export const ESSENTIAL: ReadonlySet<string> = new Set([
  'metrics',
  'status',
  'statusAsset',
  'livez',
  'readyz',
]);

export type ServiceOperation = keyof typeof SERVICE_OPERATIONS;

export interface ServiceDeps {
  readonly config: Pick<Config, 'docs' | 'metricsBuckets' | 'metricsPort' | 'metricsToken' | 'statusPage'>;
  readonly contract: Described;
  /** Makes the whole exposition. */
  readonly gather: (format: Format) => Promise<Buffer>;
  /** The workers, or instances, as JSON. Where it is left out there is no status page. */
  readonly workers?: () => Promise<Buffer>;
  /** Does this process want work? */
  readonly accepting: () => boolean;
  /** Runs the checks of the service. */
  readonly readiness: () => Promise<Findings>;
}

/** Their handlers, without those of what the configuration switches off. */
export function serviceHandlers(deps: ServiceDeps): Partial<Record<ServiceOperation, AnyHandler>> {
  const { config, contract, gather, workers } = deps;
  const objectives = () => objectivesOf(contract.document, config.metricsBuckets);
  return {
    livez,
    readyz: createReadyz(deps),
    ...(config.metricsPort === undefined && {
      metrics: createMetricsHandler({ gather }),
      ...(config.statusPage &&
        workers &&
        statusHandlers({ token: config.metricsToken, gather, workers, objectives })),
    }),
    ...(config.docs && { docs, docsAsset, ...createOpenapi(contract) }),
  };
}

/** Those of a description that states them badly are left to `npm run observability`, which says what is wrong. */
function objectivesOf(document: unknown, buckets: readonly number[]): readonly Objective[] {
  try {
    return readObjectives(document, buckets);
  } catch {
    return [];
  }
}
