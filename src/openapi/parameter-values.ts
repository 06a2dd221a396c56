import type { Place } from './description.js';
import { Problem } from '../http/problem.js';

type JsonType = 'string' | 'number' | 'integer' | 'boolean' | 'null' | 'array' | 'object';

/** The types that a schema lets a value have. Empty: it doesn't say, so that text stays text. */
export function typesOf(schema: Place): Set<JsonType> {
  const declared = schema.at('type').value;
  // A type that JSON Schema does not have is found when the schema is compiled.
  if (declared !== undefined) return new Set([declared].flat() as JsonType[]);
  const listed = [
    ...schema
      .at('enum')
      .entries()
      .map(([, { value }]) => value),
    schema.at('const').value,
  ];
  const branches = ['anyOf', 'oneOf', 'allOf'].flatMap((key) =>
    schema
      .at(key)
      .entries()
      .map(([, branch]) => branch),
  );
  return new Set([...listed.flatMap(typeOf), ...branches.flatMap((branch) => [...typesOf(branch)])]);
}

/** The types of a list's items; `undefined` if this is no list. */
export function itemTypesOf(schema: Place): Set<JsonType> | undefined {
  const types = typesOf(schema);
  if (types.has('object')) schema.fail('an object as a parameter is not supported');
  if (!types.has('array')) return undefined;
  const items = typesOf(schema.at('items'));
  if (items.has('array') || items.has('object')) schema.fail('a list of lists or objects is not supported');
  return items;
}

function typeOf(value: unknown): JsonType[] {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
      return [typeof value as JsonType];
    default:
      return value === null ? ['null'] : [];
  }
}

/** A number as JSON writes it: without this `0x10`, ` 1` and `Infinity` would be numbers, and `1e400` infinite. */
const NUMBER = /^-?(?:0|[1-9]\d{0,30})(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?$/;

/**
 * The value that a parameter's text stands for, given the types that its schema allows. Text that does not stand
 * for any of them is returned as it is: the schema then says what is wrong with it.
 */
export function convert(text: string, types: ReadonlySet<JsonType>): unknown {
  if ((types.has('number') || types.has('integer')) && NUMBER.test(text)) {
    const number = Number(text);
    // An integer that a double can't hold would get through changed.
    if (Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number))) return number;
  }
  if (types.has('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

/** The path of a request target, encoded as it came. Throws a 400 where the target is not valid. */
export function pathOf(target: string): string {
  const origin = originForm(target);
  const query = origin.indexOf('?');
  return query < 0 ? origin : origin.slice(0, query);
}

/** The query of a request target, encoded as it came; empty if it has none. */
export function queryOf(target: string): string {
  const origin = originForm(target);
  const query = origin.indexOf('?');
  return query < 0 ? '' : origin.slice(query + 1).replace(/#.*/s, '');
}

/**
 * A request target without its authority: servers must be ready for the absolute form (RFC 9112 section 3.2.2). Not
 * with `url.parse`, which rewrites a path, and throws at an authority that it does not like.
 */
function originForm(target: string): string {
  if (target.startsWith('/') || target.startsWith('*')) return target;
  const rest = /^https?:\/\/[^/?#]+([^#]*)/i.exec(target)?.[1];
  if (rest === undefined || !URL.canParse(target))
    throw new Problem(400, 'The request target is neither a path nor a URL of this service.');
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** Undoes percent-encoding (RFC 3986 section 2.1). Throws a 400 where it is not valid. */
export function percentDecoded(text: string, location: 'path' | 'query', pointer = ''): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Problem(400, 'The request has an invalid percent-encoding.', {
      errors: [{ in: location, path: pointer, message: 'has a "%" that does not encode UTF-8' }],
    });
  }
}
