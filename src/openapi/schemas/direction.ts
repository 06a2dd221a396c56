import type { Place } from '../description.js';
import { entryOf, fieldOf, isRecord } from '../source/grammar.js';
import { conjuncts } from './conjuncts.js';
import { Reach } from './reach.js';

/**
 * The way that a value goes: `readOnly` properties are only in answers, `writeOnly` ones only in requests.
 */
export type Direction = 'request' | 'response';

/** The keyword that keeps a property out of values that go this way. */
export const HIDES: Readonly<Record<Direction, 'readOnly' | 'writeOnly'>> = {
  request: 'readOnly',
  response: 'writeOnly',
};

/** The greatest depth of choices inside each other that is looked into. */
const DEEPEST = 6;

/**
 * Returns the properties that a schema, or a part of its `allOf` or `$ref`, or each branch of a choice, keeps
 * out of values that go this way.
 */
export function hiddenProperties(schema: Place, direction: Direction, depth = 0): Set<string> {
  const parts = [...conjuncts(schema).values()];
  const properties = parts.flatMap((one) => one.own('properties').ownEntries());
  const own = properties.filter(([, property]) => isHidden(property, direction)).map(([name]) => name);
  const choices = depth > DEEPEST ? [] : parts.flatMap((one) => [one.own('anyOf'), one.own('oneOf')]);
  return new Set([
    ...own,
    ...choices.flatMap((choice) => {
      const [first, ...others] = choice.ownEntries().map(([, branch]) => branch);
      const names = first ? [...hiddenProperties(first, direction, depth + 1)] : [];
      return names.filter((name) =>
        others.every((other) => hiddenProperties(other, direction, depth + 1).has(name)),
      );
    }),
  ]);
}

/** Tells which schemas differ between the directions. The others are compiled once for both. */
export function directed(): Reach {
  return new Reach(
    (schema) => [
      ...(isRecord(schema.value) ? schema.ownEntries() : []).flatMap(([key, place]) =>
        subschemasOf(key, place),
      ),
      ...(schema.target ? [schema.target] : []),
    ],
    ({ value }) => isRecord(value) && Object.values(HIDES).some((keyword) => value[keyword] === true),
  );
}

function subschemasOf(key: string, place: Place): Place[] {
  const field = fieldOf('schema', key);
  if (field === 'schema') return [place];
  return entryOf(field ?? '') === 'schema' ? place.ownEntries().map(([, child]) => child) : [];
}

export function isHidden(property: Place, direction: Direction): boolean {
  return [...conjuncts(property).values()].some((one) => one.own(HIDES[direction]).value === true);
}
