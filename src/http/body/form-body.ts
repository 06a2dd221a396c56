import type { BodyContent } from '../../openapi/operations/body.js';
import { type Fields, formFields } from '../parameters/fields.js';
import { fieldReader, isExploded } from '../parameters/serialized.js';
import { refusePrototype } from './json-body.js';

/** Makes the value of a form: declared fields are converted by their schemas, all others stay text. */
export function formReader({
  fields: declared,
}: Pick<BodyContent, 'fields'>): (fields: Fields) => Record<string, unknown> {
  const names = new Set(declared.map(({ name }) => name));
  const nested = declared.filter(({ style }) => style === 'deepObject').map(({ name }) => `${name}[`);
  const isDeclared = (name: string) => names.has(name) || nested.some((start) => name.startsWith(start));
  const readers = declared.map((field) => [field.name, fieldReader(field, isDeclared)] as const);
  const exploded = new Set(declared.filter(isExploded).map(({ name }) => name));
  return (fields) => {
    for (const name of fields.names) refusePrototype(name);
    const found = readers.map(([name, read]) => [name, read(fields)] as const);
    const claimed = new Set(
      found.flatMap(([name, value]) =>
        exploded.has(name) && !fields.get(name) ? Object.keys(value ?? {}) : [],
      ),
    );
    const others = [...fields.names].filter((name) => !isDeclared(name) && !claimed.has(name));
    return Object.fromEntries([
      ...found.filter(([, value]) => value !== undefined),
      ...others.map((name) => [name, textOf(fields, name)] as const),
    ]);
  };
}

function textOf(fields: Fields, name: string): unknown {
  const decoded = fields.decoded(name);
  return decoded.length > 1 ? decoded : decoded[0];
}

/** Makes the reader of an `application/x-www-form-urlencoded` body. */
export function urlencodedReader(content: BodyContent): (text: string) => unknown {
  const read = formReader(content);
  return (text) => read(formFields(text));
}
