import type { Place } from './description.js';

export type JsonType = 'string' | 'number' | 'integer' | 'boolean' | 'null' | 'array' | 'object';

/** The types that a schema lets a value have. Empty: it doesn't say, so that text stays text. */
export function typesOf(schema: Place): Set<JsonType> {
  const declared = schema.at('type').value;
  // A type that JSON Schema does not have is found when the schema is compiled.
  if (declared !== undefined) return new Set([declared].flat() as JsonType[]);
  const listed = [
    ...schema
      .at('enum')
      .entries()
      .map(([, { value }]) => value),
    schema.at('const').value,
  ];
  const branches = ['anyOf', 'oneOf', 'allOf'].flatMap((key) =>
    schema
      .at(key)
      .entries()
      .map(([, branch]) => branch),
  );
  return new Set([...listed.flatMap(typeOf), ...branches.flatMap((branch) => [...typesOf(branch)])]);
}

/** The types of a list's items; `undefined` if this is no list. */
export function itemTypesOf(schema: Place): Set<JsonType> | undefined {
  const types = typesOf(schema);
  if (types.has('object')) schema.fail('an object as a parameter is not supported');
  if (!types.has('array')) return undefined;
  const items = typesOf(schema.at('items'));
  if (items.has('array') || items.has('object')) schema.fail('a list of lists or objects is not supported');
  return items;
}

function typeOf(value: unknown): JsonType[] {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      return [typeof value as JsonType]; // one of these three
    default:
      return value === null ? ['null'] : [];
  }
}
