import type { Description, Place } from './description.js';
import { type Operation, compileOperation } from './operation.js';
import { checkPaths } from './paths.js';
import type { Schemas } from './schemas.js';

/** The operations of a description, whoever handles them. Throws ContractError. */
export function compileOperations(description: Description, schemas: Schemas): Operation[] {
  const { root } = description;
  if (!/^3\.1\.\d+$/.test(String(root.at('openapi').value))) root.at('openapi').fail('must be 3.1.x');
  const paths = root.at('paths');
  if (paths.entries().length === 0) paths.fail('describes no path');
  checkPaths(paths);
  const operations = paths
    .entries()
    .flatMap(([path, item]) =>
      operationsOf(item).map(([method, place]) => compileOperation({ path, method, place, item, schemas })),
    );
  checkIds(operations);
  return operations;
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
const OTHER_KEYS = ['summary', 'description', 'servers', 'parameters'];

function operationsOf(item: Place): [string, Place][] {
  for (const [key, place] of item.entries()) {
    if (METHODS.includes(key) || OTHER_KEYS.includes(key) || key.startsWith('x-')) continue;
    place.fail(`"${key}" is neither a method nor anything else that a path can have`);
  }
  return item.entries().filter(([key]) => METHODS.includes(key));
}

function checkIds(operations: readonly Operation[]): void {
  const ids = new Map<string, Operation>();
  for (const operation of operations) {
    const { id, place } = operation;
    const other = ids.get(id);
    if (other)
      place.at('operationId').fail(`"${id}" is also the operationId of ${other.method} ${other.path}`);
    ids.set(id, operation);
  }
}
