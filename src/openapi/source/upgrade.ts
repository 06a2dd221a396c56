type Mapping = Readonly<Record<string, unknown>>;

/**
 * Turns a schema of OpenAPI 3.0 into one of 3.1, which is JSON Schema: keywords beside `$ref` are
 * dropped, `nullable` becomes a type (OpenAPI 3.1 migration guide), and exclusive bounds become numbers.
 * Subschemas are left as they are.
 */
export function upgradedSchema(schema: Mapping): Mapping {
  if (typeof schema['$ref'] === 'string') return { $ref: schema['$ref'] };
  return nullableUpgraded(boundUpgraded('minimum', boundUpgraded('maximum', schema)));
}

function boundUpgraded(bound: 'minimum' | 'maximum', schema: Mapping): Mapping {
  const exclusive = bound === 'minimum' ? 'exclusiveMinimum' : 'exclusiveMaximum';
  if (typeof schema[exclusive] !== 'boolean') return schema;
  const { [exclusive]: isExclusive, [bound]: limit, ...rest } = schema;
  if (limit === undefined) return rest;
  return { ...rest, [isExclusive === true ? exclusive : bound]: limit };
}

/**
 * Lets `nullable` beside an `enum` or an `allOf` allow null: its authors mean that, although
 * OpenAPI 3.0.3 says otherwise.
 */
function nullableUpgraded(schema: Mapping): Mapping {
  if (typeof schema['nullable'] !== 'boolean') return schema;
  const { nullable, ...rest } = schema;
  if (!nullable) return rest;
  if (typeof rest['type'] !== 'string' || 'allOf' in rest || 'anyOf' in rest || 'oneOf' in rest)
    return isFree(rest) ? rest : orNull(rest);
  const values = rest['enum'];
  return {
    ...rest,
    type: [rest['type'], 'null'],
    ...(Array.isArray(values) && !values.includes(null) && { enum: [...(values as unknown[]), null] }), // any values
  };
}

/** Keywords that refuse no value, null included. */
const ANNOTATIONS = new Set(
  'title description default deprecated readOnly writeOnly example externalDocs xml'.split(' '),
);

/** Makes a choice between a schema and null. What refuses neither stays outside, where it holds for both. */
function orNull(schema: Mapping): Mapping {
  const entries = Object.entries(schema);
  const annotations = entries.filter(([key]) => isAnnotation(key));
  const assertions = entries.filter(([key]) => !isAnnotation(key));
  return { ...Object.fromEntries(annotations), anyOf: [Object.fromEntries(assertions), { type: 'null' }] };
}

function isAnnotation(keyword: string): boolean {
  return ANNOTATIONS.has(keyword) || keyword.startsWith('x-');
}

/** Tells whether a schema has no keyword that could refuse null. */
function isFree(schema: Mapping): boolean {
  return !['type', 'enum', 'allOf', 'anyOf', 'oneOf', 'not'].some((key) => key in schema);
}
