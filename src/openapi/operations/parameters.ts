import type { Place } from '../description.js';
import { essenceOf } from '../media-type.js';
import type { Defaults, Fill } from '../schemas/defaults.js';
import { type Shape, shapeOf } from '../schemas/shape.js';
import type { Schemas } from '../schemas/schemas.js';

export const LOCATIONS = ['path', 'query', 'header', 'cookie'] as const;
export type Location = (typeof LOCATIONS)[number];

/** The way in which lists and objects are written as text (OpenAPI 3.1 section 4.8.12.4). */
export type Style =
  'matrix' | 'label' | 'simple' | 'form' | 'spaceDelimited' | 'pipeDelimited' | 'deepObject';

/** The rules by which a value is made out of the text of one or more fields. */
export interface Serialized {
  readonly name: string;
  readonly in: Location | 'body';
  readonly style: Style;
  /** Whether each item of a list, and each property of an object, is a field of its own, or may be. */
  readonly explode: boolean;
  /** The types that the text may be turned into. */
  readonly shape: Shape;
  /** The media type of each text, where it is a document; `undefined` where it is not. */
  readonly content: string | undefined;
}

/** A parameter of an operation, as its description declares it. */
export interface Parameter extends Serialized {
  readonly place: Place;
  readonly in: Location;
  readonly required: boolean;
  readonly schema: Place;
  /** Whether a field without a value is valid. */
  readonly allowEmptyValue: boolean;
  /** Whether reserved characters stand for themselves, as a "+" does then (RFC 6570 section 3.2.3). */
  readonly allowReserved: boolean;
  /** The value of a parameter that the request does not have. */
  readonly fallback: unknown;
  /** Puts defaults into a value that is valid. */
  readonly fill: Fill | undefined;
}

/** The styles that each location allows. The first one is the default. */
const STYLES: Readonly<Record<Location, readonly [Style, ...Style[]]>> = {
  path: ['simple', 'label', 'matrix'],
  query: ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject'],
  header: ['simple'],
  cookie: ['form'],
};

/** Reads a declared parameter. Throws ContractError, with the parameter's name, where it can't be served. */
export function declaredParameter(place: Place, schemas: Schemas, defaults: Defaults): Parameter {
  const name = place.at('name').string() ?? place.fail('has no name');
  const location = LOCATIONS.find((known) => known === place.at('in').value);
  if (!location) return place.own('in').fail(`must be one of ${LOCATIONS.join(', ')}; no other is supported`);
  if (location === 'path' && place.at('required').value !== true)
    place.warn(`path parameter "${name}" should say "required: true", as it is`);
  const [content, schema] = schemaOf(place, name);
  return {
    place,
    name,
    in: location,
    required: location === 'path' || place.at('required').boolean(),
    schema,
    ...styleOf(place, STYLES[location]),
    ...(content !== undefined && { explode: false }),
    shape: shapeOf(schema),
    content,
    allowEmptyValue: location === 'query' && place.at('allowEmptyValue').boolean(),
    allowReserved: location === 'query' && place.at('allowReserved').boolean(),
    fallback: schemas.fallbackOf(schema),
    fill: schema.value === undefined ? undefined : defaults.of(schema),
  };
}

/** Returns a parameter's schema, and the media type of one that is a document. */
function schemaOf(place: Place, name: string): [string | undefined, Place] {
  const schema = place.own('schema');
  if (schema.value !== undefined) {
    if (place.at('content').value !== undefined) place.at('content').fail('must not stand beside "schema"');
    return [undefined, schema];
  }
  const contents = place.at('content').entries();
  const [first, second] = contents;
  if (!first) return place.fail(`parameter "${name}" has no schema`);
  if (second) place.at('content').fail('must have one media type');
  return [essenceOf(first[0]), first[1].own('schema')];
}

function styleOf(
  place: Place,
  [usual, ...others]: readonly [Style, ...Style[]],
): Pick<Serialized, 'style' | 'explode'> {
  const declared = place.at('style').value ?? usual;
  const style = [usual, ...others].find((known) => known === declared);
  if (!style) return place.own('style').fail(`must be one of ${[usual, ...others].join(', ')} here`);
  const explode = place.at('explode').value === undefined ? style === 'form' : place.at('explode').boolean();
  return { style, explode };
}

/** ajv skips a property of this name. */
const SKIPPED = '__proto__';

/** Makes the schema of an object of all parameters of one location. */
export function valuesSchema(parameters: readonly Parameter[], location: Location): object {
  const here = parameters.filter((parameter) => parameter.in === location);
  const skipped = here.find(({ name }) => name === SKIPPED);
  return {
    type: 'object',
    properties: Object.fromEntries(
      here.filter((parameter) => parameter !== skipped).map((each) => [each.name, valueSchema(each)]),
    ),
    ...(skipped && { patternProperties: { [`^${SKIPPED}$`]: valueSchema(skipped) } }),
    required: here.filter(({ required }) => required).map(({ name }) => name),
  };
}

function valueSchema({ schema, allowEmptyValue }: Parameter): object {
  if (schema.value === undefined) return {};
  const own = schema.asSchema('request');
  return allowEmptyValue ? { anyOf: [{ const: '' }, own] } : own;
}
