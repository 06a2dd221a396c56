import type { Context } from 'koa';
import type { Operation } from '../../openapi/operations/operation.js';
import type { Location, Parameter } from '../../openapi/operations/parameters.js';
import { type Fields, cookieFields, queryFields } from './fields.js';
import { pointerStep } from '../../openapi/pointer.js';
import { MOST_ERRORS } from '../../openapi/schemas/validation.js';
import { setOwn } from './own-property.js';
import { Problem } from '../problem.js';
import { queryOf } from './request-target.js';
import { fieldReader, textReader } from './serialized.js';

/** Values by the name of the parameter. A value that can't be converted stays text. */
type Values = Readonly<Record<string, unknown>>;

/** Reads the declared parameters of one location from a request. */
export type ParameterReader = (ctx: Context) => Values;

/** The field of a context with the path parameters by name, still encoded. The router sets it. */
export const encodedParams = Symbol('the path parameters as they came');

const NOTHING: Values = Object.freeze({});

/** Makes the readers of an operation. A location without parameters costs nothing to read. */
export function parameterReaders(
  { parameters, queryKeys }: Pick<Operation, 'parameters' | 'queryKeys'>,
  strictQuery: boolean,
): Record<Location, ParameterReader> {
  const of = (location: Location) => parameters.filter((parameter) => parameter.in === location);
  return {
    path: reader(of('path').map(pathValue), (ctx): Values => ctx[encodedParams]),
    query: strictQuery ? strictReader(of('query'), queryKeys) : queryReader(of('query'), queryKeys),
    header: reader(of('header').map(headerValue), (ctx) => ctx.req.headers),
    cookie: reader(fieldValues(of('cookie')), (ctx) => cookieFields(ctx.req.headers.cookie ?? '')),
  };
}

function queryOfRequest(ctx: Context): Fields {
  return queryFields(queryOf(ctx.req.url ?? ''));
}

function queryReader(parameters: readonly Parameter[], keys: readonly string[]): ParameterReader {
  return reader(fieldValues(parameters, keys), queryOfRequest);
}

/** Makes a reader that throws a 400 for an undeclared parameter. */
function strictReader(parameters: readonly Parameter[], keys: readonly string[]): ParameterReader {
  const isDeclared = declaredNames(parameters, keys);
  const objects = parameters.filter(isExploded);
  const isPart = (name: string) => objects.some(({ shape }) => shape.property(name) !== undefined);
  const read = queryReader(parameters, keys);
  return (ctx) => {
    const unknown = [...queryOfRequest(ctx).names].filter((name) => !isDeclared(name) && !isPart(name));
    if (unknown.length > 0)
      throw new Problem(400, 'The request does not match the API description.', {
        errors: unknown
          .slice(0, MOST_ERRORS)
          .map((name) => ({ in: 'query', path: pointerStep(name), message: 'is not declared' })),
      });
    return read(ctx);
  };
}

/** Makes a function that tells whether a field is one of these parameters or keys, or a part of one. */
function declaredNames(parameters: readonly Parameter[], keys: readonly string[]): (name: string) => boolean {
  const nested = parameters
    .filter(({ style, content }) => style === 'deepObject' && content === undefined)
    .map(({ name }) => `${name}[`);
  const names = new Set([
    ...keys,
    ...parameters.map(({ name }) => name),
    ...parameters.filter(isExploded).flatMap(({ shape }) => [...shape.names]),
  ]);
  return (name) => names.has(name) || (name.endsWith(']') && nested.some((start) => name.startsWith(start)));
}

function isObject({ shape, content }: Parameter): boolean {
  return shape.types.has('object') && content === undefined;
}

/** Tells whether each property of an object is a field of its own. */
function isExploded(parameter: Parameter): boolean {
  return isObject(parameter) && parameter.style === 'form' && parameter.explode;
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
      const value = parameter.read(found);
      const given = value === undefined ? own(parameter.fallback) : value;
      if (given !== undefined) setOwn(values, parameter.name, given);
    }
    return values;
  };
}

/** Copies a default that a handler could change. */
function own(fallback: unknown): unknown {
  return typeof fallback === 'object' ? structuredClone(fallback) : fallback;
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
      const text = Object.hasOwn(headers, key) ? headers[key]?.toString() : undefined;
      return text === undefined ? undefined : read(text);
    },
  };
}

function fieldValues(parameters: readonly Parameter[], keys: readonly string[] = []): Value<Fields>[] {
  const isDeclared = declaredNames(parameters, keys);
  return parameters.map((parameter) => {
    const { name, fallback, allowEmptyValue, allowReserved } = parameter;
    const convert = fieldReader(parameter, isDeclared);
    const read: typeof convert = allowReserved ? (fields) => convert(fields.keepPluses(name)) : convert;
    if (!allowEmptyValue) return { name, fallback, read };
    return { name, fallback, read: (fields) => (fields.isEmpty(name) ? '' : read(fields)) };
  });
}
