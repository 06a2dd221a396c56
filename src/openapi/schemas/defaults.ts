import type { Place } from '../description.js';
import { pointerTo } from '../pointer.js';
import { branchesOf, conjuncts, keywordOf } from './conjuncts.js';
import { isHidden } from './direction.js';
import { Reach } from './reach.js';
import { regExp } from '../keywords/reg-exp.js';
import type { Schemas } from './schemas.js';

/** Puts the defaults of its schema into a value that is valid. */
export type Fill = (value: unknown) => void;

type FillObject = (object: Record<string, unknown>) => void;

/**
 * The longest JSON of a default: two properties at each level would double it, and it is copied for each
 * request.
 */
const LONGEST = 100_000;

/** The defaults of the schemas of one description. */
export class Defaults {
  readonly #schemas: Schemas;
  readonly #fills = new Map<unknown, Fill>();
  /** Make the defaults that have defaults in them. */
  readonly #nested: (() => unknown)[] = [];
  readonly #reach = new Reach(below, (schema) => below(schema).some(isFilled));

  constructor(schemas: Schemas) {
    this.#schemas = schemas;
  }

  /**
   * Returns the function that puts the defaults of a schema into a body or a parameter; `undefined` if the
   * schema has none, so that no time is lost. The build has looked for them, which takes long in large
   * schemas.
   */
  of(schema: Place): Fill | undefined {
    const { artifact, withDefaults } = schema.description;
    const pointer = pointerTo(schema.path);
    if (artifact && !withDefaults.has(pointer)) return undefined;
    const fill = this.#of(schema);
    if (fill) withDefaults.add(pointer);
    // The build has made them once, and refuses one that never ends.
    for (const make of this.#nested.splice(0)) if (!artifact) schema.description.attempt(make);
    return fill;
  }

  #of(schema: Place): Fill | undefined {
    return schema.value !== undefined && this.#reach.from(schema) ? this.#fillOf(schema) : undefined;
  }

  /**
   * Remembers a fill before its parts are made: a schema that refers to itself would make parts without end.
   */
  #fillOf(schema: Place): Fill {
    const known = this.#fills.get(schema.value);
    if (known) return known;
    let parts: Fill[] = [];
    const fill: Fill = (value) => {
      for (const part of parts) part(value);
    };
    this.#fills.set(schema.value, fill);
    parts = [...conjuncts(schema).values()].flatMap((one) => [
      ...this.#ofProperties(one),
      ...this.#ofItems(one),
      ...this.#ofBranches(one),
      ...this.#ofConditions(one),
      ...this.#ofDependents(one),
    ]);
    return fill;
  }

  #ofProperties(schema: Place): Fill[] {
    const properties = schema.own('properties').ownEntries();
    const patterns = schema.own('patternProperties').ownEntries();
    const known = new Set(properties.map(([name]) => name));
    const likes = patterns.map(([pattern]) => namesLike(pattern));
    const isOther = (name: string) => !known.has(name) && !likes.some((isLike) => isLike(name));
    return [
      ...properties.flatMap(([name, property]) => this.#ofProperty(name, property)),
      ...patterns.flatMap(([pattern, property]) => this.#ofNames(namesLike(pattern), property)),
      ...this.#ofNames(isOther, schema.own('additionalProperties')),
    ].map((each) => (value) => {
      if (isMapping(value)) each(value);
    });
  }

  /** Applies the defaults of a schema to the properties whose name is one of those. */
  #ofNames(isOne: (name: string) => boolean, property: Place): FillObject[] {
    const fill = this.#of(property);
    if (!fill) return [];
    return [
      (object) => {
        for (const [name, value] of Object.entries(object)) if (isOne(name)) fill(value);
      },
    ];
  }

  #ofProperty(name: string, property: Place): FillObject[] {
    if (isHidden(property, 'request') || name === '__proto__') return [];
    const fallback = this.#schemas.fallbackOf(property);
    const fill = this.#of(property);
    if (fallback === undefined && !fill) return [];
    const whole =
      fill && fallback !== undefined ? this.#filledOnce(property, fallback, fill) : () => fallback;
    return [
      (object) => {
        if (Object.hasOwn(object, name)) fill?.(object[name]);
        else if (fallback !== undefined) object[name] = structuredClone(whole());
      },
    ];
  }

  /**
   * Returns a function that returns a default with the defaults in it. It throws for one that it finds
   * in itself, which would have no end, and for one that becomes too long.
   */
  #filledOnce(property: Place, fallback: unknown, fill: Fill): () => unknown {
    let whole = structuredClone(fallback);
    let state: 'new' | 'begun' | 'done' = 'new';
    const make = () => {
      if (state === 'begun')
        keywordOf(property, 'default')?.fail('never ends: its schema puts it into itself');
      if (state === 'new') {
        state = 'begun';
        fill(whole);
        state = 'done';
        if (JSON.stringify(whole).length > LONGEST) {
          whole = undefined;
          keywordOf(property, 'default')?.fail(
            `becomes longer than ${LONGEST} characters by the defaults in it`,
          );
        }
      }
      return whole;
    };
    this.#nested.push(make);
    return make;
  }

  #ofItems(schema: Place): Fill[] {
    const first = schema
      .own('prefixItems')
      .ownEntries()
      .map(([, item]) => this.#of(item));
    const items = schema.own('items');
    const rest = items.value === undefined ? undefined : this.#of(items);
    if (!rest && !first.some(Boolean)) return [];
    return [
      (value) => {
        if (!Array.isArray(value)) return;
        for (const [index, item] of value.entries()) (index < first.length ? first[index] : rest)?.(item);
      },
    ];
  }

  /** Applies the defaults of an `anyOf` or `oneOf` branch only where the value is valid under that branch. */
  #ofBranches(schema: Place): Fill[] {
    const branches = ['anyOf', 'oneOf'].flatMap((key) => schema.own(key).ownEntries());
    return branches.flatMap(([, branch]) => {
      const fill = this.#of(branch);
      if (!fill) return [];
      const validate = this.#schemas.compile(branch, branch.asSchema('request'));
      return [(value: unknown) => void (validate(value) === undefined && fill(value))];
    });
  }

  #ofConditions(schema: Place): Fill[] {
    const [condition, met, unmet] = [schema.own('if'), schema.own('then'), schema.own('else')];
    if (condition.value === undefined) return [];
    const [fillMet, fillUnmet] = [this.#of(met), this.#of(unmet)];
    if (!fillMet && !fillUnmet) return [];
    const validate = this.#schemas.compile(condition, condition.asSchema('request'));
    return [(value) => (validate(value) === undefined ? fillMet : fillUnmet)?.(value)];
  }

  #ofDependents(schema: Place): Fill[] {
    const dependents = schema.own('dependentSchemas').ownEntries();
    return dependents.flatMap(([name, dependent]) => {
      const fill = this.#of(dependent);
      if (!fill) return [];
      return [(value: unknown) => void (isMapping(value) && Object.hasOwn(value, name) && fill(value))];
    });
  }
}

function isFilled(property: Place): boolean {
  return keywordOf(property, 'default') !== undefined;
}

/** Returns the schemas of a value's items and properties, and the branches of its choices and conditions. */
function below(schema: Place): Place[] {
  return [...conjuncts(schema).values()].flatMap((one) => {
    const lists = ['prefixItems', 'properties', 'patternProperties'].flatMap((key) =>
      one.own(key).ownEntries(),
    );
    const single = ['items', 'additionalProperties'].map((key) => one.own(key));
    return [
      ...lists.map(([, place]) => place),
      ...single.filter(({ value }) => value !== undefined),
      ...branchesOf(one),
    ];
  });
}

/** Tests names with a pattern, which is compiled at the first: a broken one is reported with its schema. */
function namesLike(pattern: string): (name: string) => boolean {
  let expression: RegExp | undefined;
  return (name) => (expression ??= regExp(pattern)).test(name);
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
