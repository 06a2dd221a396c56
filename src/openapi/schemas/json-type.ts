import type { Place } from '../description.js';
import { conjuncts } from './conjuncts.js';

export type JsonType = 'string' | 'number' | 'integer' | 'boolean' | 'null' | 'array' | 'object';

export const ALL: readonly JsonType[] = ['string', 'number', 'integer', 'boolean', 'null', 'array', 'object'];

/** The greatest depth of choices inside each other that is looked into. */
const DEEPEST = 6;

/** Returns the types that a value of a schema may have, through references and composition. */
export function typesOf(schema: Place, depth = 0): Set<JsonType> {
  const sets = [...conjuncts(schema).values()].flatMap((one) => [
    declaredTypes(one),
    ...(depth > DEEPEST
      ? []
      : choicesOf(one).map((all) => new Set(all.flatMap((each) => [...typesOf(each, depth + 1)])))),
  ]);
  return new Set(ALL.filter((type) => sets.every((set) => set.has(type))));
}

/** Tells whether a number or a truth value is within the limits of a schema. */
export function takes(schema: Place, value: number | boolean, depth = 0): boolean {
  if (depth > DEEPEST) return true;
  const isTaken = (branch: Place) => takes(branch, value, depth + 1);
  return [...conjuncts(schema).values()].every(
    (one) => isWithin(one, value) && choicesOf(one).every((branches) => branches.some(isTaken)),
  );
}

/** The comparisons that the limits of a number stand for. */
const LIMITS: Readonly<Record<string, (value: number, limit: number) => boolean>> = {
  minimum: (value, limit) => value >= limit,
  maximum: (value, limit) => value <= limit,
  exclusiveMinimum: (value, limit) => value > limit,
  exclusiveMaximum: (value, limit) => value < limit,
};

function isWithin(schema: Place, value: number | boolean): boolean {
  const listed = listedIn(schema);
  if (listed && !listed.includes(value)) return false;
  const types = declaredTypes(schema);
  if (typeof value === 'boolean') return types.has('boolean');
  if (!types.has('number') && !(types.has('integer') && Number.isInteger(value))) return false;
  return Object.entries(LIMITS).every(([keyword, isKept]) => {
    const limit = schema.own(keyword).value;
    return typeof limit !== 'number' || isKept(value, limit);
  });
}

/** Returns the branches of each choice of a schema. */
function choicesOf(schema: Place): Place[][] {
  return ['anyOf', 'oneOf']
    .map((key) =>
      schema
        .own(key)
        .ownEntries()
        .map(([, branch]) => branch),
    )
    .filter((branches) => branches.length > 0);
}

function declaredTypes(schema: Place): Set<JsonType> {
  if (schema.value === false) return new Set();
  const type = schema.own('type').value;
  const listed = listedIn(schema);
  if (type !== undefined)
    return new Set([type].flat().flatMap((name) => (name === 'number' ? NUMBERS : typesNamed(name))));
  return listed ? new Set(listed.flatMap(typeOf)) : new Set(ALL);
}

/** Returns the values that a schema lists. */
function listedIn(schema: Place): unknown[] | undefined {
  const { value: values } = schema.own('enum');
  const { value: constant } = schema.own('const');
  if (Array.isArray(values) && values.length > 0) return values;
  return constant === undefined ? undefined : [constant];
}

function typeOf(value: unknown): readonly JsonType[] {
  if (value === null) return ['null'];
  if (Array.isArray(value)) return ['array'];
  return typeof value === 'number' ? NUMBERS : typesNamed(typeof value);
}

const NUMBERS: readonly JsonType[] = ['number', 'integer'];

function typesNamed(name: unknown): JsonType[] {
  return ALL.filter((type) => type === name);
}
