import type { Place } from '../description.js';
import { type Direction, directed, hiddenProperties } from '../schemas/direction.js';
import { conjuncts, keywordOf } from '../schemas/conjuncts.js';
import { isRecord } from '../source/grammar.js';

type Hidden = ReadonlySet<string>;

const NONE: Hidden = new Set();

/** Writes the TypeScript types of schemas. A schema that others refer to gets a name of its own. */
export class SchemaTypes {
  readonly #directed = directed();
  /** Names by place, direction, and the properties that are hidden by a schema around it. */
  readonly #names = new Map<string, string>();
  readonly #declarations: string[] = [];
  /** Names of types of other modules that have been written. */
  readonly imported = new Set<string>();

  /** The declarations of all schemas that were referred to. */
  get declarations(): string {
    return this.#declarations.join('\n\n');
  }

  /** Returns the name of a type of another module, which must be imported. */
  foreign(name: 'Readable' | 'UploadedFile'): string {
    this.imported.add(name);
    return name;
  }

  /**
   * Returns the type of a schema's values in this direction, without the properties hidden by one around it.
   */
  of(schema: Place, direction: Direction, around: Hidden = NONE): string {
    const { value, target } = schema;
    if (value === false) return 'never';
    if (!isRecord(value)) return 'unknown';
    const hidden = new Set([...around, ...hiddenProperties(schema, direction)]);
    const parts = [
      ...(target ? [this.#named(target, direction, hidden)] : []),
      ...this.#own(schema, direction, hidden),
      ...this.#list(schema, 'allOf', direction, hidden),
      ...['anyOf', 'oneOf'].flatMap((key) => joined(this.#list(schema, key, direction, hidden), ' | ')),
    ].filter((part) => part !== 'unknown');
    return joined([...new Set(parts)], ' & ')[0] ?? 'unknown';
  }

  #list(schema: Place, key: string, direction: Direction, hidden: Hidden = NONE): string[] {
    return schema
      .own(key)
      .ownEntries()
      .map(([, member]) => this.of(member, direction, hidden));
  }

  /** Returns the types that a schema's other keywords give it, without its references and composition. */
  #own(schema: Place, direction: Direction, hidden: Hidden): string[] {
    const { value: values } = schema.own('enum');
    const constant = schema.own('const');
    if (constant.value !== undefined) return [literal(constant.value)];
    if (Array.isArray(values)) return joined(values.map(literal), ' | ');
    const types: unknown[] = [schema.own('type').value ?? implied(schema)].flat();
    return joined(
      types.map((type) => this.#typed(String(type), schema, direction, hidden)),
      ' | ',
    );
  }

  #typed(type: string, schema: Place, direction: Direction, hidden: Hidden): string {
    switch (type) {
      case 'string':
      case 'boolean':
      case 'null':
        return type;
      case 'number':
      case 'integer':
        return 'number';
      case 'array':
        return this.#array(schema, direction);
      case 'object':
        return this.#object(schema, direction, hidden);
      default:
        return 'unknown';
    }
  }

  #array(schema: Place, direction: Direction): string {
    const items = schema.own('items');
    const rest = items.value === undefined ? 'unknown' : this.of(items, direction);
    const first = this.#list(schema, 'prefixItems', direction);
    if (first.length === 0) return `${inList(rest)}[]`;
    return `[${first.map((type) => `${inList(type)}?`).join(', ')}${items.value === false ? '' : `, ...${inList(rest)}[]`}]`;
  }

  #object(schema: Place, direction: Direction, hidden: Hidden): string {
    const required = new Set([schema.own('required').value].flat());
    const properties = schema.own('properties').ownEntries();
    const fields = properties
      .filter(([name]) => !hidden.has(name))
      .map(([name, property]) => {
        const isThere =
          required.has(name) || (direction === 'request' && keywordOf(property, 'default') !== undefined);
        return field(name, this.of(property, direction), isThere);
      });
    const others = schema.own('additionalProperties');
    if (others.value !== false) {
      const type =
        properties.length === 0 && others.value !== undefined ? this.of(others, direction) : 'unknown';
      fields.push(`[key: string]: ${type}`);
    }
    return fields.length === 0
      ? '{}'
      : `{\n${fields.map((each) => `  ${each.replaceAll('\n', '\n  ')};`).join('\n')}\n}`;
  }

  #named(target: Place, direction: Direction, hidden: Hidden): string {
    const own = hiddenProperties(target, direction);
    const others = propertiesOf(target).filter((property) => hidden.has(property) && !own.has(property));
    const isDirected = others.length > 0 || this.#directed.from(target);
    const key = JSON.stringify([target.path, isDirected && direction, others]);
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const name = this.#free(`${typeName(target)}${isDirected && direction === 'request' ? 'Request' : ''}`);
    this.#names.set(key, name);
    const index = this.#declarations.push('') - 1;
    const type = this.of(target, direction, new Set(others));
    // An interface may refer to itself in any way; an alias in few.
    const isObject = type.startsWith('{') && !/^[}].*[&|]/m.test(type);
    this.#declarations[index] = isObject
      ? `export interface ${name} ${type}`
      : `export type ${name} = ${type};`;
    return name;
  }

  #free(plain: string): string {
    const taken = new Set([...this.#names.values(), 'Operations', 'Readable', 'UploadedFile', 'Omit']);
    let name = plain;
    for (let count = 2; taken.has(name); count += 1) name = `${plain}${count}`;
    return name;
  }
}

/** Lists the properties that a schema declares, by its references and `allOf` too. */
function propertiesOf(schema: Place): string[] {
  const all = [...conjuncts(schema).values()].flatMap((one) => one.own('properties').ownEntries());
  return [...new Set(all.map(([name]) => name))];
}

/** Writes a field of an object type. Its name is quoted where it is no identifier. */
export function field(name: string, type: string, isThere: boolean): string {
  const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
  return `${key}${isThere ? '' : '?'}: ${type}`;
}

/** Joins types into one, in brackets where there are several; empty if there is none. */
export function joined(types: readonly string[], operator: ' | ' | ' & '): string[] {
  const different = [...new Set(types)];
  if (different.length === 0) return [];
  return [different.length === 1 ? (different[0] ?? '') : `(${different.join(operator)})`];
}

function inList(type: string): string {
  return /^[\w$]+$|^[({[][^]*[)}\]]$/.test(type) ? type : `(${type})`;
}

function implied(schema: Place): string {
  const isOne = (key: string) => schema.own(key).value !== undefined;
  if (isOne('properties') || isOne('additionalProperties')) return 'object';
  return isOne('items') || isOne('prefixItems') ? 'array' : 'anything';
}

function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (!isRecord(value)) return JSON.stringify(value);
  return `{ ${Object.entries(value)
    .map(([key, child]) => `${JSON.stringify(key)}: ${literal(child)}`)
    .join('; ')} }`;
}

/** Makes a type's name of the last key of its place, with a capital, so that it is no word of TypeScript. */
function typeName({ path }: Place): string {
  const words = (path.at(-1) ?? '').split(/[^\p{ID_Continue}$]+/u).filter((word) => word !== '');
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return /^[\p{Lu}_$]/u.test(name) ? name : `_${name}`;
}
