import type { Place } from '../description.js';

/**
 * The schemas that all hold for a value of this one: itself, what it refers to, and the members of `allOf`, however deep. Each
 * once, so that a schema which refers to itself has an end.
 */
export function conjuncts(schema: Place, found = new Map<unknown, Place>()): Map<unknown, Place> {
  if (found.has(schema.value)) return found;
  found.set(schema.value, schema);
  const { target } = schema;
  if (target) conjuncts(target, found);
  for (const [, member] of schema.own('allOf').ownEntries()) conjuncts(member, found);
  return found;
}

/** The value of a keyword in a schema or in what it refers to: beside a reference it counts before what is behind it. */
export function keywordOf(schema: Place, keyword: string): Place | undefined {
  return [...conjuncts(schema).values()]
    .map((one) => one.own(keyword))
    .find(({ value }) => value !== undefined);
}
