import type { Context } from 'koa';
import type { JsonType } from '../openapi/json-types.js';
import type { Location, Parameter } from '../openapi/parameters.js';
import { percentDecoded, queryOf } from './request-target.js';

/** Values by the name of the parameter. A value that can't be converted stays the text that it was. */
type Values = Readonly<Record<string, unknown>>;

/** Reads the declared parameters of one location from a request. */
type ParameterReader = (ctx: Context) => Values;

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

/** The router has matched and decoded path parameters already; most of them are text and are taken as they are. */
function pathReader(parameters: readonly Parameter[]): ParameterReader {
  if (parameters.length === 0) return () => NOTHING;
  const conversions = parameters.filter(({ types }) => !(types.size === 1 && types.has('string')));
  if (conversions.length === 0) return (ctx) => ctx['params'] as Values; // set by the router
  return (ctx) => {
    const values: Record<string, unknown> = { ...(ctx['params'] as Values) }; // set by the router
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

function queryField({ name, types, items, explode, fallback }: Parameter): Field<Map<string, string[]>> {
  const read = (all: Map<string, string[]>) => {
    const texts = all.get(name);
    if (!texts) return undefined;
    if (items)
      return (explode ? texts : texts.flatMap((text) => text.split(','))).map((text) => convert(text, items));
    // More than one value where one is meant: no reader is asked to guess which. The schema refuses the list.
    return texts.length > 1 ? texts : convert(texts[0] ?? '', types);
  };
  return { name, fallback, read };
}

function headerField({ name, types, items, fallback }: Parameter): Field<Context['req']['headers']> {
  const key = name.toLowerCase();
  const read = (headers: Context['req']['headers']) => {
    const text = headers[key]?.toString();
    if (text === undefined) return undefined;
    return items ? text.split(',').map((item) => convert(item.trim(), items)) : convert(text, types);
  };
  return { name, fallback, read };
}

function cookieField({ name, types, fallback }: Parameter): Field<Map<string, string[]>> {
  // Of cookies with the same name the first belongs to the longest path (RFC 6265 section 5.4).
  const read = (all: Map<string, string[]>) => {
    const text = all.get(name)?.[0];
    return text === undefined ? undefined : convert(text, types);
  };
  return { name, fallback, read };
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

/** A number as JSON writes it: without this `0x10`, ` 1` and `Infinity` would be numbers, and `1e400` infinite. */
const NUMBER = /^-?(?:0|[1-9]\d{0,30})(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?$/;

/**
 * The value that a parameter's text stands for, given the types that its schema allows. Text that does not stand
 * for any of them is returned as it is: the schema then says what is wrong with it.
 */
function convert(text: string, types: ReadonlySet<JsonType>): unknown {
  if ((types.has('number') || types.has('integer')) && NUMBER.test(text)) {
    const number = Number(text);
    // An integer that a double can't hold would get through changed.
    if (Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number))) return number;
  }
  if (types.has('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}
