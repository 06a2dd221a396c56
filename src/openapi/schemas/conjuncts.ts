import type { Place } from '../description.js';

/**
 * Returns the schemas that all hold for a value of this one: the schema itself, the target of
 * its `$ref`, and the members of `allOf`, however deep. Each is in there once: a schema that
 * refers to itself would never end.
 */
export function conjuncts(schema: Place, found = new Map<unknown, Place>()): Map<unknown, Place> {
  if (found.has(schema.value)) return found;
  found.set(schema.value, schema);
  const { target } = schema;
  if (target) conjuncts(target, found);
  for (const [, member] of schema.own('allOf').ownEntries()) conjuncts(member, found);
  return found;
}

/** Returns the schemas that may hold for a value of this one: the branches of its choices and conditions. */
export function branchesOf(schema: Place): Place[] {
  const lists = ['anyOf', 'oneOf', 'dependentSchemas'].flatMap((key) => schema.own(key).ownEntries());
  const single = ['then', 'else'].map((key) => schema.own(key));
  return [...lists.map(([, branch]) => branch), ...single.filter(({ value }) => value !== undefined)];
}

/** Returns a schema and the branches of its choices and conditions, however deep. */
export function choices(schema: Place, found = new Map<unknown, Place>()): Map<unknown, Place> {
  if (found.has(schema.value)) return found;
  found.set(schema.value, schema);
  for (const one of conjuncts(schema).values()) for (const branch of branchesOf(one)) choices(branch, found);
  return found;
}

/**
 * Returns the value of a keyword in a schema or its conjuncts. A keyword beside a reference
 * goes before one in the target.
 */
export function keywordOf(schema: Place, keyword: string): Place | undefined {
  return [...conjuncts(schema).values()]
    .map((one) => one.own(keyword))
    .find(({ value }) => value !== undefined);
}
