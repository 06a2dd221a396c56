import type { Operation } from './operation.js';
import { shapeOf } from './paths.js';

/** The operations that the service handles itself, by operationId, with their paths. Each is a GET. */
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

export type ServiceOperation = keyof typeof SERVICE_OPERATIONS;

const BY_SHAPE: ReadonlyMap<string, string> = new Map(
  Object.entries(SERVICE_OPERATIONS).map(([id, path]) => [shapeOf(path), id]),
);

/**
 * Returns the id of the service's operation that has the method and the path of this one; `undefined` if none
 * has.
 */
export function serviceOperationAt({ method, path }: Pick<Operation, 'method' | 'path'>): string | undefined {
  return method === 'GET' ? BY_SHAPE.get(shapeOf(path)) : undefined;
}

/**
 * Tells whether an operation of a description is one of the service, which needs no handler. Any other may be
 * called as one of these.
 */
export function isServiceOperation(operation: Pick<Operation, 'id' | 'method' | 'path'>): boolean {
  return serviceOperationAt(operation) === operation.id;
}
