import type { Place } from './description.js';
import { type JsonType, itemTypesOf, typesOf } from './json-types.js';

export const LOCATIONS = ['path', 'query', 'header', 'cookie'] as const;
export type Location = (typeof LOCATIONS)[number];

/** A parameter of an operation, as its description declares it. */
export interface Parameter {
  readonly place: Place;
  readonly name: string;
  readonly in: Location;
  readonly required: boolean;
  readonly schema: Place;
  /** What its text may stand for. */
  readonly types: ReadonlySet<JsonType>;
  /** Of a list: what each item may stand for. */
  readonly items: ReadonlySet<JsonType> | undefined;
  /** Each item of a list is a field of its own. */
  readonly explode: boolean;
  /** In place of a parameter that is not there. */
  readonly fallback: unknown;
}

/** Reads a parameter that an operation and its path have in common; what cannot be served is refused by name. */
export function declaredParameter(place: Place): Parameter {
  const name = place.at('name').string() ?? place.fail('has no name');
  const location = LOCATIONS.find((known) => known === place.at('in').value);
  if (!location) return place.at('in').fail(`must be one of ${LOCATIONS.join(', ')}`);
  const required = place.at('required').boolean();
  if (location === 'path' && !required) place.fail(`path parameter "${name}" must say "required: true"`);
  if (place.at('content').value !== undefined) place.at('content').fail('is not supported; use "schema"');
  const schema = place.at('schema');
  if (schema.value === undefined) place.fail(`parameter "${name}" has no schema`);
  const style = place.at('style').value;
  const plain = location === 'query' || location === 'cookie' ? 'form' : 'simple';
  if (style !== undefined && style !== plain) place.at('style').fail(`only "${plain}" is supported here`);
  return {
    place,
    name,
    in: location,
    required,
    schema,
    types: typesOf(schema),
    items: itemsOf(location, schema),
    explode: place.at('explode').value !== false,
    fallback: schema.at('default').value,
  };
}

function itemsOf(location: Location, schema: Place): ReadonlySet<JsonType> | undefined {
  const items = itemTypesOf(schema);
  if (items && location === 'path') schema.fail('a list in the path is not supported');
  if (items && location === 'cookie') schema.fail('a list in a cookie is not supported');
  return items;
}

/** The schema of all values of one location. */
export function valuesSchema(parameters: readonly Parameter[], location: Location): object {
  const here = parameters.filter((parameter) => parameter.in === location);
  return {
    type: 'object',
    properties: Object.fromEntries(here.map(({ name, schema }) => [name, schema.asSchema])),
    required: here.filter(({ required }) => required).map(({ name }) => name),
  };
}
