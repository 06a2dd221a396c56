import type { Place } from '../description.js';
import { conjuncts } from './conjuncts.js';

export type JsonType = 'string' | 'number' | 'integer' | 'boolean' | 'null' | 'array' | 'object';

/** The part of a schema that is needed to make a value out of text. */
export interface Shape {
  /** The types that a value may have. Empty where the schema names none: text stays text. */
  readonly types: ReadonlySet<JsonType>;
  /** Shape of each item of a list. */
  readonly items: Shape;
  /** Shapes of an object's declared properties, by name. */
  readonly properties: ReadonlyMap<string, Shape>;
  /** Shape of an object's other properties; `undefined` if it may have none. */
  readonly others: Shape | undefined;
}

/** The shape of a value without a schema. */
export const ANYTHING: Shape = {
  types: new Set(),
  properties: new Map(),
  get items() {
    return ANYTHING;
  },
  get others() {
    return ANYTHING;
  },
};

const ALL: readonly JsonType[] = ['string', 'number', 'integer', 'boolean', 'null', 'array', 'object'];

/** The greatest depth of lists and objects inside each other that text is turned into. */
const DEEPEST = 6;

/** Returns the shape of a schema, through references and composition. */
export function shapeOf(schema: Place, depth = 0): Shape {
  if (depth > DEEPEST || schema.value === undefined) return ANYTHING;
  const types = typesOf(schema);
  const parts = types.has('array') || types.has('object') ? alternatives(schema) : [];
  const properties = new Map<string, Shape>();
  for (const part of parts)
    for (const [name, property] of part.own('properties').ownEntries())
      properties.set(name, united(properties.get(name), shapeOf(property, depth + 1)));
  const [items] = parts.map((part) => part.own('items')).filter(({ value }) => value !== undefined);
  return {
    types: types.size === ALL.length ? new Set() : types,
    items: items ? shapeOf(items, depth + 1) : ANYTHING,
    properties,
    others: othersOf(parts, depth),
  };
}

function othersOf(parts: readonly Place[], depth: number): Shape | undefined {
  const said = parts
    .map((part) => part.own('additionalProperties'))
    .filter(({ value }) => value !== undefined);
  const [schema] = said;
  if (!schema) return ANYTHING;
  return said.some(({ value }) => value === false) ? undefined : shapeOf(schema, depth + 1);
}

function united(one: Shape | undefined, other: Shape): Shape {
  return one ? { ...other, types: new Set([...one.types, ...other.types]) } : other;
}

/**
 * Returns the schemas that can apply to a value: the schema with its `allOf` and `$ref`, and
 * all branches of its choices.
 */
function alternatives(schema: Place, seen = new Set<unknown>()): Place[] {
  return [...conjuncts(schema).values()].flatMap((one) => {
    if (seen.has(one.value)) return [];
    seen.add(one.value);
    return [
      one,
      ...branchesOf(one).flatMap((branches) => branches.flatMap((each) => alternatives(each, seen))),
    ];
  });
}

function branchesOf(schema: Place): Place[][] {
  return ['anyOf', 'oneOf']
    .map((key) =>
      schema
        .own(key)
        .ownEntries()
        .map(([, branch]) => branch),
    )
    .filter((branches) => branches.length > 0);
}

function typesOf(schema: Place, depth = 0): Set<JsonType> {
  const sets = [...conjuncts(schema).values()].flatMap((one) => [
    declaredTypes(one),
    ...(depth > DEEPEST
      ? []
      : branchesOf(one).map((all) => new Set(all.flatMap((each) => [...typesOf(each, depth + 1)])))),
  ]);
  return new Set(ALL.filter((type) => sets.every((set) => set.has(type))));
}

function declaredTypes(schema: Place): Set<JsonType> {
  if (schema.value === false) return new Set();
  const type = schema.own('type').value;
  const listed = [schema.own('enum').value, [schema.own('const').value]].find(
    (values) => Array.isArray(values) && values[0] !== undefined,
  );
  if (type !== undefined)
    return new Set([type].flat().flatMap((name) => (name === 'number' ? NUMBERS : typesNamed(name))));
  return Array.isArray(listed) ? new Set(listed.flatMap(typeOf)) : new Set(ALL);
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
