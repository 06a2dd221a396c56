import type { Foreseen } from '../../metrics/foreseen.js';
import { methodLabel } from '../../metrics/request-metrics.js';
import type { Operation } from '../../openapi/operations/operation.js';
import type { Contract } from './contract.js';

/**
 * Returns the series that an operation can have: the statuses that it declares, and those
 * that the service itself answers.
 */
export function foreseenSeries(operation: Operation, { document }: Contract): Foreseen {
  const { method, path: endpoint, validate, body, responses } = operation;
  // `default` and `4XX` stand for many statuses, and no series could be made of each.
  const declared = [...responses.keys()].filter((status) => /^\d{3}$/.test(status)).map(Number);
  const ofValidation = validate ? [400] : [];
  const ofBody = body ? [400, 413, 415] : [];
  const ofSecurity = isSecured(operation, document) ? [401, 403] : [];
  const statuses = new Set([...declared, ...ofValidation, ...ofBody, ...ofSecurity, 500, 503]);
  return { method: methodLabel(method), endpoint, statuses: [...statuses] };
}

/** Returns the series of a route that nobody has described: what success and alerts are made of. */
export function undescribedSeries(method: string, endpoint: string): Foreseen {
  return { method: methodLabel(method), endpoint, statuses: [200, 500, 503] };
}

function isSecured({ place }: Operation, document: Contract['document']): boolean {
  const requirements: unknown = place.at('security').value ?? document['security'];
  // An empty requirement lets everybody in.
  return Array.isArray(requirements) && requirements.some((one: object) => Object.keys(one).length > 0);
}
