import type { Context } from 'koa';
import type { Config } from '../../config.js';
import type { Format } from '../../metrics/exposition/gatherer.js';
import { type Described, createOpenapi, docs, docsAsset } from './docs.js';
import { createReadyz, livez } from './health.js';
import { createMetricsHandler } from './metrics-route.js';
import { type Objective, readObjectives } from '../../openapi/operations/objectives.js';
import type { ServiceOperation } from '../../openapi/operations/service-operations.js';
import type { Operation } from '../../openapi/operations/operation.js';
import { statusHandlers } from './status-page.js';
import type { Findings } from './readiness.js';

/** Operations that are served under overload, too: without them an overloaded service would look dead. */
export const ESSENTIAL: ReadonlySet<string> = new Set([
  'metrics',
  'status',
  'statusAsset',
  'livez',
  'readyz',
]);

/** A handler of an own operation. Its result is the body. */
export type OwnHandler = (
  request: { readonly path: Readonly<Record<string, string>> },
  ctx: Context,
) => unknown;

export interface ServiceDeps {
  readonly config: Pick<Config, 'docs' | 'metricsBuckets' | 'metricsPort' | 'metricsToken' | 'statusPage'>;
  readonly contract: Described & { readonly operations: readonly Operation[] };
  /** Makes the whole exposition. */
  readonly gather: (format: Format) => Promise<Buffer>;
  /** Gives the workers, or instances, as JSON. Without it there is no status page. */
  readonly workers?: () => Promise<Buffer>;
  /** Tells whether this process accepts work. */
  readonly accepting: () => boolean;
  /** Runs the checks of the service. */
  readonly readiness: () => Promise<Findings>;
}

/** Returns the handlers of own operations that the configuration does not switch off. */
export function serviceHandlers(deps: ServiceDeps): Partial<Record<ServiceOperation, OwnHandler>> {
  const { config, contract, gather, workers } = deps;
  const objectives = () => objectivesOf(contract.operations, config.metricsBuckets);
  return {
    livez,
    readyz: createReadyz(deps),
    ...(config.metricsPort === undefined && {
      // The route has checked METRICS_TOKEN, or what the service checks in its place.
      metrics: createMetricsHandler({ gather, token: undefined }),
      ...(config.statusPage &&
        workers &&
        statusHandlers({ token: config.metricsToken, gather, workers, objectives })),
    }),
    ...(config.docs && { docs, docsAsset, ...createOpenapi(contract) }),
  };
}

/**
 * Reads the objectives of a description; none if they have mistakes, which `npm run observability` reports.
 */
function objectivesOf(operations: readonly Operation[], buckets: readonly number[]): readonly Objective[] {
  try {
    return readObjectives(operations, buckets);
  } catch {
    return [];
  }
}
