import type { Place } from '../description.js';

/** An operation of the description, with its place. */
export interface Declared {
  readonly path: string;
  readonly method: string;
  readonly place: Place;
}

/**
 * Returns the id of each operation: its operationId, or one made of method and
 * path. Two equal ids are a fault.
 */
export function operationIds(operations: readonly Declared[]): string[] {
  const taken = new Map<string, Declared>();
  for (const operation of operations) {
    const own = operation.place.at('operationId').string();
    const other = own === undefined ? undefined : taken.get(own);
    if (other) {
      const place = operation.place.at('operationId');
      place.description.attempt(() =>
        place.fail(`"${own}" is also the operationId of ${other.method.toUpperCase()} ${other.path}`),
      );
    }
    if (own !== undefined) taken.set(own, operation);
  }
  return operations.map((operation) => {
    const own = operation.place.at('operationId').string();
    if (own !== undefined) return own;
    const derived = derivedId(operation, taken);
    taken.set(derived, operation);
    return derived;
  });
}

/** `GET /boxes/{id}/lid` is `getBoxesByIdLid`. */
function derivedId({ method, path }: Declared, taken: ReadonlyMap<string, unknown>): string {
  const words = path
    .replaceAll('{', '/by-')
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
  const plain =
    method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  let id = plain;
  for (let count = 2; taken.has(id); count += 1) id = `${plain}${count}`;
  return id;
}
