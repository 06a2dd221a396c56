import type { Place } from '../description.js';
import { type Kind, entryOf, fieldOf } from '../source/grammar.js';
import { isBinary } from './binary.js';
import { conjuncts, keywordOf } from './conjuncts.js';
import { type Direction, HIDES, hiddenProperties, isHidden } from './direction.js';
import { isKnownFormat } from '../keywords/formats.js';

type Schema = Readonly<Record<string, unknown>>;

interface Context {
  readonly direction: Direction;
  /** Names the schema that a reference leads to, for a value with these hidden properties. */
  readonly refer: (target: Place, hidden: ReadonlySet<string>) => string;
  /** Properties that a schema around this one, for the same value, hides in this direction. */
  readonly hidden: ReadonlySet<string>;
}

/**
 * Keywords whose schemas the same value must meet as the schema around them. It must not meet `not`, and need
 * not meet `if`: there a hidden property is missing, and is not forgiven.
 */
const IN_PLACE = new Set(['allOf', 'anyOf', 'oneOf', 'then', 'else', 'dependentSchemas']);

const ASSERTIONS = new Set(
  'type enum const multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems maxContains minContains maxProperties minProperties'.split(
    ' ',
  ),
);

/**
 * Turns a schema of a description into one for ajv: with only the keywords that decide on validity, for one
 * direction. A slow check, such as a pattern, is not run on a value that is longer than its schema allows.
 */
export function prepared(schema: Place, context: Context): Schema | boolean {
  const { value } = schema;
  if (typeof value === 'boolean') return value;
  const { direction, refer } = context;
  const hidden = new Set([...context.hidden, ...hiddenProperties(schema, direction)]);
  const result: Record<string, unknown> = {};
  const isBytes = isBinary(schema) && !isMarkup(schema);
  for (const [key, place] of schema.ownEntries()) {
    const field = fieldOf('schema', key);
    if (key === '$ref') result[key] = refer(schema.target ?? schema, hidden);
    else if (ASSERTIONS.has(key) && !(isBytes && OF_TEXT.has(key))) result[key] = place.value;
    else if (field !== undefined && isSchemaField(field, key))
      result[key] = subschemas(key, field, place, { ...context, hidden: IN_PLACE.has(key) ? hidden : NONE });
  }
  return guarded(schema, {
    ...withoutEmpty(result),
    ...requiredOf(schema, hidden),
    ...dependentOf(schema, hidden),
    ...formatOf(schema),
  });
}

/** Keywords of text that are ignored for bytes: a file is validated as an empty text. */
const OF_TEXT = new Set(['minLength', 'pattern']);

/** Tells whether a schema describes a text of a type such as `text/html`, which JSON may have. */
function isMarkup(schema: Place): boolean {
  const type = keywordOf(schema, 'contentMediaType')?.string();
  return keywordOf(schema, 'format')?.value !== 'binary' && (type?.startsWith('text/') ?? false);
}

const NONE: ReadonlySet<string> = new Set();

function isSchemaField(field: string, key: string): boolean {
  const kind: Kind = 'schema';
  return (
    (field === kind || entryOf(field) === kind) &&
    key !== '$defs' &&
    key !== 'definitions' &&
    key !== 'contentSchema'
  );
}

/**
 * Keywords that declare properties. Elsewhere `readOnly` and `writeOnly` hide nothing: an item must be sent.
 */
const DECLARING = new Set(['properties', 'patternProperties']);

function subschemas(key: string, field: string, place: Place, context: Context): unknown {
  if (entryOf(field) === undefined) return prepared(place, context);
  const { direction } = context;
  const entries = place.ownEntries().map(([name, child]) => {
    const isAbsent = DECLARING.has(key) && isHidden(child, direction);
    if (isAbsent) return [name, { absent: HIDES[direction] }] as const;
    return [name, CHOICES.has(key) ? branchOf(child, context) : prepared(child, context)] as const;
  });
  return field.startsWith('[') ? entries.map(([, schema]) => schema) : Object.fromEntries(entries);
}

const CHOICES = new Set(['anyOf', 'oneOf']);

/**
 * Prepares a branch of a choice. What tells it from the others is checked before all else: the branches of a
 * schema that refers to itself would each look into everything below, in a time that is multiplied at each
 * level.
 */
function branchOf(branch: Place, context: Context): Schema | boolean {
  const whole = prepared(branch, context);
  const sign = signOf(branch, new Set([...context.hidden, ...hiddenProperties(branch, context.direction)]));
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  return sign ? { if: sign, then: whole, else: sign } : whole;
}

/**
 * Returns a schema of the properties that a branch requires: of those that have one value, such as its
 * `kind`, if there are any; `undefined` if it requires none.
 */
function signOf(branch: Place, hidden: ReadonlySet<string>): Schema | undefined {
  const parts = [...conjuncts(branch).values()];
  const required = new Set(parts.flatMap((one) => shown(one.own('required'), hidden)));
  const kinds = parts
    .flatMap((one) => one.own('properties').ownEntries())
    .flatMap(([name, property]) =>
      (required.has(name) ? kindsOf(property) : []).map((kind) => [name, kind] as const),
    );
  const names = kinds.length > 0 ? new Set(kinds.map(([name]) => name)) : required;
  return names.size > 0 ? { required: [...names], properties: Object.fromEntries(kinds) } : undefined;
}

/** Returns the schema of a property that can have one value only. */
function kindsOf(property: Place): Schema[] {
  const constant = keywordOf(property, 'const');
  const values = keywordOf(property, 'enum')?.value;
  if (constant) return [{ const: constant.value }];
  return Array.isArray(values) && values.length === 1 ? [{ enum: values }] : [];
}

/** Removes keywords whose list is empty, legal or not: ajv refuses them. An empty `enum` allows no value. */
function withoutEmpty(schema: Record<string, unknown>): Record<string, unknown> {
  const { enum: values, ...rest } = schema;
  const kept = Object.entries(rest).filter(([key, value]) => !(IN_PLACE.has(key) && isEmptyList(value)));
  const allowed = values === undefined ? {} : isEmptyList(values) ? { not: {} } : { enum: values };
  return { ...Object.fromEntries(kept), ...allowed };
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function requiredOf(schema: Place, hidden: ReadonlySet<string>): { required?: string[] } {
  const required = shown(schema.own('required'), hidden);
  return required.length > 0 ? { required } : {};
}

function dependentOf(schema: Place, hidden: ReadonlySet<string>): object {
  const dependent = schema.own('dependentRequired');
  if (dependent.value === undefined) return {};
  const entries = dependent.ownEntries().map(([name, names]) => [name, shown(names, hidden)] as const);
  return { dependentRequired: Object.fromEntries(entries) };
}

function shown({ value }: Place, hidden: ReadonlySet<string>): string[] {
  return Array.isArray(value) ? [...new Set<string>(value)].filter((name) => !hidden.has(name)) : [];
}

function formatOf(schema: Place): { format?: string } {
  const format = schema.own('format').string();
  return format !== undefined && isKnownFormat(format) ? { format } : {};
}

const LIMITS = ['maxLength', 'maxItems', 'maxProperties'];

/** Keywords that are checked at once, and the limits themselves. */
const CHEAP = new Set([
  'type',
  'enum',
  'const',
  'required',
  'minimum',
  'maximum',
  'minLength',
  'minItems',
  ...LIMITS,
]);

/**
 * Runs slow keywords only on a value within the limits: a pattern can take seconds for a text of 100 kB. A
 * limit is the least there is, and replaces the schema's own; `propertyNames` can ask for more than a length,
 * and stays.
 */
function guarded(schema: Place, whole: Schema): Schema {
  const limits = limitsOf(schema);
  const costly = Object.keys(whole).filter((key) => !CHEAP.has(key));
  if (costly.length === 0 || Object.keys(limits).length === 0) return whole;
  const rest = Object.fromEntries(
    Object.entries(whole).filter(([key]) => (key === 'propertyNames' || !(key in limits)) && key !== 'type'),
  );
  const type = 'type' in whole ? { type: whole['type'] } : {};
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  return { ...type, ...limits, if: limits, then: rest };
}

/**
 * Collects the limits of a schema and of its `allOf` and `$ref`, with the limit on
 * the length of property names.
 */
function limitsOf(schema: Place): Schema {
  const limits: Record<string, unknown> = {};
  for (const one of conjuncts(schema).values()) {
    for (const keyword of LIMITS) {
      const limit = one.own(keyword).value;
      const known = limits[keyword];
      if (typeof limit === 'number')
        limits[keyword] = typeof known === 'number' ? Math.min(known, limit) : limit;
    }
    const names = one.own('propertyNames').own('maxLength').value;
    if (typeof names === 'number') limits['propertyNames'] = { maxLength: names };
  }
  return limits;
}
