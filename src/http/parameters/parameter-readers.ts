import type { Context } from 'koa';
import type { Operation } from '../../openapi/operation.js';
import type { Location, Parameter } from '../../openapi/parameters.js';
import { type Fields, cookieFields, queryFields } from './fields.js';
import { Problem } from '../problem.js';
import { queryOf } from './request-target.js';
import { fieldReader, textReader } from './serialized.js';

/** Values by the name of the parameter. A value that can't be converted stays text. */
type Values = Readonly<Record<string, unknown>>;

/** Reads the declared parameters of one location from a request. */
export type ParameterReader = (ctx: Context) => Values;

const NOTHING: Values = Object.freeze({});

/** Makes the readers of an operation. A location without parameters costs nothing to read. */
export function parameterReaders(
  { parameters, queryKeys }: Pick<Operation, 'parameters' | 'queryKeys'>,
  strictQuery: boolean,
): Record<Location, ParameterReader> {
  const of = (location: Location) => parameters.filter((parameter) => parameter.in === location);
  return {
    path: reader(of('path').map(pathValue), (ctx): Values => ctx['params']), // the router has set them
    query: strictQuery
      ? strictReader(of('query'), queryKeys)
      : reader(fieldValues(of('query')), queryOfRequest),
    header: reader(of('header').map(headerValue), (ctx) => ctx.req.headers),
    cookie: reader(fieldValues(of('cookie')), (ctx) => cookieFields(ctx.req.headers.cookie ?? '')),
  };
}

function queryOfRequest(ctx: Context): Fields {
  return queryFields(queryOf(ctx.req.url ?? ''));
}

/** Makes a reader that throws a 400 for an undeclared parameter. */
function strictReader(parameters: readonly Parameter[], keys: readonly string[]): ParameterReader {
  const isDeclared = declaredNames(parameters);
  const declared = (name: string) => isDeclared(name) || keys.includes(name);
  const read = reader(fieldValues(parameters), queryOfRequest);
  return (ctx) => {
    const unknown = [...queryOfRequest(ctx).names].filter((name) => !declared(name));
    if (unknown.length > 0)
      throw new Problem(400, 'The request does not match the API description.', {
        errors: unknown.map((name) => ({ in: 'query', path: `/${name}`, message: 'is not declared' })),
      });
    return read(ctx);
  };
}

/** Makes a function that tells whether a field is one of these parameters, or a part of one. */
function declaredNames(parameters: readonly Parameter[]): (name: string) => boolean {
  const objects = parameters.filter(
    ({ shape, content }) => shape.types.has('object') && content === undefined,
  );
  const nested = objects.filter(({ style }) => style === 'deepObject').map(({ name }) => `${name}[`);
  const exploded = objects.filter(({ style, explode }) => style === 'form' && explode);
  if (exploded.some(({ shape }) => shape.others !== undefined)) return () => true;
  const names = new Set([
    ...parameters.map(({ name }) => name),
    ...exploded.flatMap(({ shape }) => [...shape.properties.keys()]),
  ]);
  return (name) => names.has(name) || nested.some((start) => name.startsWith(start));
}

/** Takes the value of one parameter out of the fields of its location. */
interface Value<Found> {
  readonly name: string;
  readonly fallback: unknown;
  read(found: Found): unknown;
}

function reader<Found>(declared: readonly Value<Found>[], find: (ctx: Context) => Found): ParameterReader {
  if (declared.length === 0) return () => NOTHING;
  return (ctx) => {
    const found = find(ctx);
    const values: Record<string, unknown> = {};
    for (const parameter of declared) {
      const value = parameter.read(found) ?? parameter.fallback;
      if (value !== undefined) values[parameter.name] = value;
    }
    return values;
  };
}

/** Reads a path parameter, whose text the router has found, still encoded. */
function pathValue(parameter: Parameter): Value<Values> {
  const { name } = parameter;
  const read = textReader(parameter, 'path');
  return { name, fallback: undefined, read: (found) => read(String(found[name])) };
}

function headerValue(parameter: Parameter): Value<Context['req']['headers']> {
  const { name, fallback } = parameter;
  const key = name.toLowerCase();
  const read = textReader(parameter, 'header');
  return {
    name,
    fallback,
    read: (headers) => {
      const text = headers[key]?.toString();
      return text === undefined ? undefined : read(text);
    },
  };
}

function fieldValues(parameters: readonly Parameter[]): Value<Fields>[] {
  const names = new Set(parameters.map(({ name }) => name));
  return parameters.map((parameter) => {
    const { name, fallback, allowEmptyValue } = parameter;
    const read = fieldReader(parameter, names);
    if (!allowEmptyValue) return { name, fallback, read };
    return { name, fallback, read: (fields) => (fields.isEmpty(name) ? '' : read(fields)) };
  });
}
