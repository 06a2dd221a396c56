import { isJson } from '../../openapi/media-type.js';
import type { Serialized, Style } from '../../openapi/operations/parameters.js';
import { pointerStep } from '../../openapi/pointer.js';
import type { Shape } from '../../openapi/schemas/shape.js';
import { type Spot, malformed, parseDocument, refusePrototype } from '../body/json-body.js';
import { convert, isScalar } from './convert.js';
import type { Fields } from './fields.js';
import { bracketed } from './bracketed.js';
import { percentDecoded } from './request-target.js';

type Decode = (text: string) => string;

/** Delimiters of the items in a list that is one text (OpenAPI 3.1 section 4.8.12.4), encoded or not. */
const DELIMITERS: Readonly<Record<Style, RegExp | string>> = {
  simple: ',',
  label: ',',
  matrix: ',',
  form: ',',
  spaceDelimited: /%20|\+| /,
  pipeDelimited: /%7C|\|/i,
  deepObject: ',',
};

/**
 * Makes the reader of a parameter that is one text, in a path or in a header. A
 * header is not percent-decoded.
 */
export function textReader(parameter: Serialized, location: 'path' | 'header'): (text: string) => unknown {
  const { name, style, shape, content } = parameter;
  const decode: Decode =
    location === 'path' ? (text) => percentDecoded(text, 'path', name) : (text) => text.trim();
  if (content !== undefined) return (text) => documentOf(decode(text), content, shape, spotOf(parameter));
  if (shape.types.size === 1 && shape.types.has('string') && style === 'simple') return decode;
  return (text) => {
    const bare = withoutPrefix(text, parameter);
    if (bare === undefined) return decode(text);
    return valueOf(bare, parameter, decode);
  };
}

/** Returns the text behind the prefix of its style; `undefined` if the prefix is missing. */
function withoutPrefix(text: string, { name, style, explode, shape }: Serialized): string | undefined {
  if (style === 'label') return text.startsWith('.') ? text.slice(1) : undefined;
  if (style !== 'matrix') return text;
  if (explode && shape.types.has('object')) return text.startsWith(';') ? text.slice(1) : undefined;
  if (text === `;${name}`) return '';
  return text.startsWith(`;${name}=`) ? text.slice(name.length + 2) : undefined;
}

/** Makes the value of a text without prefix. */
function valueOf(text: string, parameter: Serialized, decode: Decode): unknown {
  const { name, style, explode, shape } = parameter;
  if (shape.types.has('array')) {
    const delimiter = !explode ? ',' : style === 'label' ? '.' : style === 'matrix' ? `;${name}=` : ',';
    return itemsOf(text.split(delimiter), shape, decode);
  }
  if (shape.types.has('object')) {
    const delimiter = !explode ? ',' : style === 'label' ? '.' : style === 'matrix' ? ';' : ',';
    const parts = text.split(delimiter);
    return objectOf(explode ? parts.map(pairOf) : pairsOf(parts), parameter, decode);
  }
  return convert(decode(text), shape);
}

/**
 * Makes the reader of a parameter or of a property of a form.
 * @param isDeclared tells whether a field belongs to one of all of them
 */
export function fieldReader(
  parameter: Serialized,
  isDeclared: (name: string) => boolean,
): (fields: Fields) => unknown {
  const { name, style, content } = parameter;
  const named = content === undefined ? namedReader(parameter) : documentReader(parameter, content);
  if (style === 'deepObject') return (fields) => bracketed(parameter, fields) ?? named(fields);
  if (!isExploded(parameter)) return named;
  return (fields) => (fields.get(name) ? named(fields) : explodedObject(parameter, fields, isDeclared));
}

/** Tells whether the properties of an object may be fields of their own. */
export function isExploded({ shape, style, explode }: Serialized): boolean {
  return shape.types.has('object') && style === 'form' && explode;
}

/**
 * Reads the fields of the parameter's own name where each is a document, or an item of a list of documents.
 */
function documentReader(parameter: Serialized, type: string): (fields: Fields) => unknown {
  const { name, explode, shape } = parameter;
  const isList = explode && shape.types.has('array') && !shape.types.has('object');
  return (fields) => {
    if (!fields.get(name)) return undefined;
    const [text = '', ...others] = fields.decoded(name);
    const isItem = isList && !/^\s*(?:\[|null\s*$)/.test(text);
    if (!isItem && (others.length === 0 || !fields.repeats))
      return documentOf(text, type, shape, spotOf(parameter));
    return [text, ...others].map((each, index) =>
      documentOf(each, type, isList ? shape.item(index) : shape, spotOf(parameter, `/${index}`)),
    );
  };
}

/** Reads the fields that have the parameter's own name. */
function namedReader(parameter: Serialized): (fields: Fields) => unknown {
  const { name, style, explode, shape } = parameter;
  const delimiter = DELIMITERS[style];
  return (fields) => {
    const texts = fields.get(name);
    if (!texts) return undefined;
    const [text = ''] = texts;
    const decode: Decode = (each) => fields.decode(each, name);
    const isSplit = !explode && new RegExp(delimiter).test(text);
    if (shape.types.has('array') && (texts.length > 1 || isSplit || !isScalar(decode(text), shape))) {
      const items = explode ? texts : texts.flatMap((each) => each.split(delimiter));
      return itemsOf(items, shape, decode);
    }
    if (shape.types.has('object') && isSplit)
      return objectOf(pairsOf(text.split(delimiter)), parameter, decode);
    // Several values for a parameter that takes one become a list, which the schema refuses: the reader
    // does not guess which is meant.
    return texts.length > 1 && fields.repeats ? texts.map(decode) : convert(decode(text), shape);
  };
}

/**
 * Makes an object of fields, one for each property. A field that another
 * parameter declares is not part of it.
 */
function explodedObject(
  parameter: Serialized,
  fields: Fields,
  isDeclared: (name: string) => boolean,
): unknown {
  const { shape } = parameter;
  const found: [string, unknown][] = [];
  for (const name of fields.names) {
    const property = shape.names.has(name) || !isDeclared(name) ? shape.property(name) : undefined;
    const texts = fields.get(name) ?? [];
    if (!property) continue;
    refusePrototype(name, spotOf(parameter));
    const decode: Decode = (each) => fields.decode(each, name);
    const isList = texts.length > 1 || property.types.has('array');
    found.push([name, isList ? itemsOf(texts, property, decode) : convert(decode(texts[0] ?? ''), property)]);
  }
  return found.length > 0 ? Object.fromEntries(found) : undefined;
}

function itemsOf(texts: readonly string[], shape: Shape, decode: Decode): unknown[] {
  return texts.map((text, index) => convert(decode(text), shape.item(index)));
}

/** Splits `R,100,G,200` into pairs. */
function pairsOf(parts: readonly string[]): [string, string][] {
  return parts.flatMap((name, index) =>
    index % 2 === 0 ? [[name, parts[index + 1] ?? ''] as [string, string]] : [],
  );
}

/** Splits `R=100` at its first `=`. */
function pairOf(text: string): [string, string] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}

function objectOf(pairs: readonly [string, string][], parameter: Serialized, decode: Decode): unknown {
  return Object.fromEntries(
    pairs.map(([key, text]) => {
      const name = decode(key);
      refusePrototype(name, spotOf(parameter));
      return [name, convert(decode(text), parameter.shape.property(name))];
    }),
  );
}

/**
 * Parses a document in a parameter or field. A text that is none stays as it is where the schema may take it.
 * Throws a 400 where a JSON body would be refused, too.
 */
function documentOf(text: string, type: string, { types }: Shape, spot: Spot): unknown {
  if (!isJson(type)) return text;
  try {
    return parseDocument(text, spot);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    if (types.size > 0 && !types.has('string')) throw malformed('is not JSON', spot);
    return text;
  }
}

function spotOf({ in: location, name }: Serialized, more = ''): Spot {
  return { in: location, path: pointerStep(name) + more };
}
