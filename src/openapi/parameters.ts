import type { Context } from 'koa';
import type { Place } from './description.js';
import { Schemas } from './schemas.js';
import { convert, itemTypesOf, percentDecoded, queryOf, typesOf } from './parameter-values.js';

export const LOCATIONS = ['path', 'query', 'header', 'cookie'] as const;
export type Location = (typeof LOCATIONS)[number];

/** A parameter of an operation, as its description declares it. */
export interface Parameter {
  readonly place: Place;
  readonly name: string;
  readonly in: Location;
  readonly required: boolean;
  readonly schema: Place;
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
  return { place, name, in: location, required, schema };
}

/** Values by the name of the parameter. A value that can't be converted stays the text that it was. */
type Values = Readonly<Record<string, unknown>>;

/** Reads the declared parameters of one location from a request. */
export type ParameterReader = (ctx: Context) => Values;

const NOTHING: Values = Object.freeze({});

/** Makes the readers of an operation. A location without parameters costs nothing to read. */
export function parameterReaders(parameters: readonly Parameter[]): Record<Location, ParameterReader> {
  const of = (location: Location) => parameters.filter((parameter) => parameter.in === location);
  return {
    path: pathReader(of('path')),
    query: reader(of('query').map(queryField), (ctx) => fields(queryOf(ctx.req.url ?? ''), '&')),
    header: reader(of('header').map(headerField), (ctx) => ctx.req.headers),
    cookie: reader(of('cookie').map(cookieField), (ctx) => fields(ctx.req.headers.cookie ?? '', ';')),
  };
}

/** The schema of what the readers of these parameters return for one location. */
export function valuesSchema(parameters: readonly Parameter[], location: Location): object {
  const here = parameters.filter((parameter) => parameter.in === location);
  return {
    type: 'object',
    properties: Object.fromEntries(here.map(({ name, schema }) => [name, Schemas.at(schema)])),
    required: here.filter(({ required }) => required).map(({ name }) => name),
  };
}

/** The router has matched and decoded path parameters already; most of them are text and are taken as they are. */
function pathReader(parameters: readonly Parameter[]): ParameterReader {
  if (parameters.length === 0) return () => NOTHING;
  const conversions = parameters.flatMap(({ name, schema }) => {
    const types = typesOf(schema);
    if (types.has('array')) schema.fail('a list in the path is not supported');
    return types.size === 1 && types.has('string') ? [] : [{ name, types }];
  });
  if (conversions.length === 0) return (ctx) => ctx['params'] as Values;
  return (ctx) => {
    const values: Record<string, unknown> = { ...(ctx['params'] as Values) };
    for (const { name, types } of conversions) values[name] = convert(String(values[name]), types);
    return values;
  };
}

/** Takes the value of one parameter out of the fields of its location. */
interface Field<Fields> {
  readonly name: string;
  readonly fallback: unknown;
  read(fields: Fields): unknown;
}

function reader<Fields>(
  declared: readonly Field<Fields>[],
  split: (ctx: Context) => Fields,
): ParameterReader {
  if (declared.length === 0) return () => NOTHING;
  return (ctx) => {
    const found = split(ctx);
    const values: Record<string, unknown> = {};
    for (const field of declared) {
      const value = field.read(found) ?? field.fallback;
      if (value !== undefined) values[field.name] = value;
    }
    return values;
  };
}

function queryField({ name, place, schema }: Parameter): Field<Map<string, string[]>> {
  const types = typesOf(schema);
  const items = itemTypesOf(schema);
  const separated = place.at('explode').value === false;
  const read = (all: Map<string, string[]>) => {
    const texts = all.get(name);
    if (!texts) return undefined;
    if (items)
      return (separated ? texts.flatMap((text) => text.split(',')) : texts).map((text) =>
        convert(text, items),
      );
    // More than one value where one is meant: no reader is asked to guess which. The schema refuses the list.
    return texts.length > 1 ? texts : convert(texts[0] ?? '', types);
  };
  return { name, fallback: schema.at('default').value, read };
}

function headerField({ name, schema }: Parameter): Field<Context['req']['headers']> {
  const types = typesOf(schema);
  const items = itemTypesOf(schema);
  const key = name.toLowerCase();
  const read = (headers: Context['req']['headers']) => {
    const text = headers[key]?.toString();
    if (text === undefined) return undefined;
    return items ? text.split(',').map((item) => convert(item.trim(), items)) : convert(text, types);
  };
  return { name, fallback: schema.at('default').value, read };
}

function cookieField({ name, schema }: Parameter): Field<Map<string, string[]>> {
  const types = typesOf(schema);
  if (types.has('array')) schema.fail('a list in a cookie is not supported');
  // Of cookies with the same name the first belongs to the longest path (RFC 6265 section 5.4).
  const read = (all: Map<string, string[]>) => {
    const text = all.get(name)?.[0];
    return text === undefined ? undefined : convert(text, types);
  };
  return { name, fallback: schema.at('default').value, read };
}

/** `name=value` pairs, decoded. */
function fields(text: string, separator: '&' | ';'): Map<string, string[]> {
  const decode = separator === '&' ? decodeQuery : decodeCookie;
  const found = new Map<string, string[]>();
  for (const pair of text.split(separator)) {
    const equals = pair.indexOf('=');
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : decode(pair.slice(equals + 1));
    const values = found.get(name);
    if (values) values.push(value);
    else found.set(name, [value]);
  }
  return found;
}

function decodeQuery(text: string): string {
  return percentDecoded(text.replaceAll('+', ' '), 'query');
}

/** Most cookies were not made for this API, and a "%" means nothing in them (RFC 6265 section 4.1.1). */
function decodeCookie(text: string): string {
  try {
    return decodeURIComponent(text.trim());
  } catch {
    return text.trim();
  }
}
