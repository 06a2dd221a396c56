import type { Place } from '../description.js';
import { isBinary } from './binary.js';
import { branchesOf, conjuncts } from './conjuncts.js';
import { ALL, type JsonType, takes, typesOf } from './json-type.js';
import { regExp } from '../keywords/reg-exp.js';

/** The part of a schema that is needed to make a value out of text. */
export interface Shape {
  /** The types that a value may have. Empty where the schema names none: text stays text. */
  readonly types: ReadonlySet<JsonType>;
  /** Whether the value is bytes, or has a branch that is. */
  readonly isBinary: boolean;
  /** Names of an object's declared properties. */
  readonly names: ReadonlySet<string>;
  /** Returns the shape of a property; `undefined` if there may be none of this name. */
  property(name: string): Shape | undefined;
  /** Returns the shape of an item of a list. */
  item(index: number): Shape;
  /** Tells whether a value that a text can be turned into is within the limits of the schema. */
  takes(value: number | boolean): boolean;
}

/** The shape of a value without a schema. */
export const ANYTHING: Shape = {
  types: new Set(),
  isBinary: false,
  names: new Set(),
  property: () => ANYTHING,
  item: () => ANYTHING,
  takes: () => true,
};

/** Returns the shape of a schema, through references and composition. */
export function shapeOf(schema: Place): Shape {
  return schema.value === undefined ? ANYTHING : new SchemaShape({ all: [schema], some: [] });
}

/** Schemas for one value: those that all hold for it, and those of which some may. */
interface Parts {
  readonly all: readonly Place[];
  readonly some: readonly Place[];
}

/** Works out what lies below a value when it is asked for: schemas may refer to themselves. */
class SchemaShape implements Shape {
  readonly types: ReadonlySet<JsonType>;
  readonly #schemas: Parts;
  readonly #properties = new Map<string, Shape | undefined>();
  readonly #items: Shape[] = [];
  #known: Parts | undefined;
  /** The number of items that have a schema of their own. */
  #first: number | undefined;
  #names: ReadonlySet<string> | undefined;

  constructor(schemas: Parts) {
    this.#schemas = schemas;
    this.types = typesOfParts(schemas);
  }

  get #parts(): Parts {
    return (this.#known ??= partsOf(this.#schemas));
  }

  get isBinary(): boolean {
    return [...this.#parts.all, ...this.#parts.some].some(isBinary);
  }

  get names(): ReadonlySet<string> {
    const { all, some } = this.#parts;
    return (this.#names ??= new Set(
      [...all, ...some].flatMap((part) =>
        part
          .own('properties')
          .ownEntries()
          .map(([name]) => name),
      ),
    ));
  }

  property(name: string): Shape | undefined {
    // Any other name comes from a client: to remember them would take all memory.
    if (!this.names.has(name)) return this.#property(name);
    if (!this.#properties.has(name)) this.#properties.set(name, this.#property(name));
    return this.#properties.get(name);
  }

  #property(name: string): Shape | undefined {
    const below = this.#below((part) => propertiesAt(part, name));
    const { all, some } = this.#parts;
    const isClosed = [...all, ...some].some((part) => part.own('additionalProperties').value === false);
    return below ?? (isClosed ? undefined : ANYTHING);
  }

  item(index: number): Shape {
    const { all, some } = this.#parts;
    this.#first ??= Math.max(...[...all, ...some].map((part) => part.own('prefixItems').ownEntries().length));
    const at = Math.min(index, this.#first);
    return (this.#items[at] ??= this.#below((part) => [itemAt(part, at)]) ?? ANYTHING);
  }

  takes(value: number | boolean): boolean {
    const { all, some } = this.#schemas;
    const isTaken = (schema: Place) => takes(schema, value);
    return all.every(isTaken) && (some.length === 0 || some.some(isTaken));
  }

  #below(schemasOf: (part: Place) => Place[]): Shape | undefined {
    const said = (parts: readonly Place[]) =>
      parts.flatMap(schemasOf).filter(({ value }) => value !== undefined && value !== false);
    const parts = { all: said(this.#parts.all), some: said(this.#parts.some) };
    return parts.all.length + parts.some.length === 0 ? undefined : new SchemaShape(parts);
  }
}

function propertiesAt(part: Place, name: string): Place[] {
  const matching = part
    .own('patternProperties')
    .ownEntries()
    .filter(([pattern]) => regExp(pattern).test(name))
    .map(([, schema]) => schema);
  const declared = part.own('properties').own(name);
  const found = declared.value === undefined ? matching : [declared, ...matching];
  return found.length > 0 ? found : [part.own('additionalProperties')];
}

function itemAt(part: Place, index: number): Place {
  const first = part.own('prefixItems').own(String(index));
  return first.value === undefined ? part.own('items') : first;
}

/** Returns the schemas that say something about the items and properties of a value. */
function partsOf({ all, some }: Parts): Parts {
  const certain = new Map<unknown, Place>();
  for (const schema of all) conjuncts(schema, certain);
  const seen = new Set<unknown>(certain.keys());
  const branches = [...certain.values()].flatMap(branchesOf);
  return {
    all: [...certain.values()],
    some: [...branches, ...some].flatMap((schema) => alternatives(schema, seen)),
  };
}

/**
 * Returns a schema with its `allOf` and `$ref`, and all branches of its choices and conditions, each once.
 */
function alternatives(schema: Place, seen: Set<unknown>): Place[] {
  return [...conjuncts(schema).values()].flatMap((one) => {
    if (seen.has(one.value)) return [];
    seen.add(one.value);
    return [one, ...branchesOf(one).flatMap((each) => alternatives(each, seen))];
  });
}

/** A part that names no type leaves those of the others. */
function typesOfParts({ all, some }: Parts): Set<JsonType> {
  const any = namedTypes(some);
  const either = any.length > 0 ? [new Set(any.flatMap((types) => [...types]))] : [];
  const sets = [...namedTypes(all), ...either];
  return new Set(sets.length > 0 ? ALL.filter((type) => sets.every((types) => types.has(type))) : []);
}

function namedTypes(schemas: readonly Place[]): Set<JsonType>[] {
  return schemas.map((schema) => typesOf(schema)).filter(({ size }) => size < ALL.length);
}
