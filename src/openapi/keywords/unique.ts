/**
 * Tells whether two items of a list are equal, in a time that grows with the list and not with its square.
 */
export function hasDuplicate(list: readonly unknown[]): boolean {
  const scalars = new Set<unknown>();
  const others = new Set<string>();
  for (const item of list) {
    if (typeof item === 'object' && item !== null) others.add(JSON.stringify(item, sorted));
    else scalars.add(item);
  }
  return scalars.size + others.size < list.length;
}

/** Sorts the keys of a mapping: two mappings with the same keys in another order are equal. */
function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
