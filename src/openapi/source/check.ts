import { METHODS } from 'node:http';
import { type Description, Place } from '../description.js';
import { branchesOf, conjuncts, keywordOf } from '../schemas/conjuncts.js';
import { isKnownFormat } from '../keywords/formats.js';
import { Reach } from '../schemas/reach.js';
import { pathOfPointer } from '../pointer.js';
import { type Kind, GRAMMAR, SECTIONS, entryOf, fieldOf, isKind, isRecord } from './grammar.js';
import { nearest } from './nearest.js';
import { primitiveFault } from './primitives.js';

type Mapping = Readonly<Record<string, unknown>>;
type Report = (path: readonly string[], reason: string) => void;

/**
 * Checks a document by the grammar of OpenAPI, and adds the mistakes to its faults. A mistake in a part
 * that no operation uses is only a warning, since it does no harm; so is an unknown field whose name is not
 * close to that of a known one.
 */
export function checkGrammar(description: Description): void {
  const check = new GrammarCheck(description);
  const { components, webhooks, ...served } = description.document;
  check.run('document', served, []);
  check.onlyWarn();
  check.run('document', { components, webhooks }, []);
}

class GrammarCheck {
  readonly #description: Description;
  readonly #seen = new Set<unknown>();
  /** Schemas with `contains`: ajv takes all items to be evaluated by it, and not only those that match. */
  readonly #counted = new Reach(inPlace, (schema) => keywordOf(schema, 'contains') !== undefined);
  #fault: Report;

  constructor(description: Description) {
    this.#description = description;
    this.#fault = (path, reason) => {
      description.attempt(() => description.fail(path, reason));
    };
  }

  onlyWarn(): void {
    this.#fault = (path, reason) => this.#description.warn(path, reason);
  }

  run(field: string, value: unknown, path: readonly string[]): void {
    const entry = entryOf(field);
    if (value === undefined) return;
    if (entry) this.#entries(field, entry, value, path);
    else if (isKind(field)) this.#object(field, value, path);
    else {
      const reason = primitiveFault(field, value);
      if (reason) (field === 'text' ? this.#warn : this.#fault)(path, reason);
    }
  }

  readonly #warn: Report = (path, reason) => this.#description.warn(path, reason);

  #entries(field: string, entry: string, value: unknown, path: readonly string[]): void {
    const isList = field.startsWith('[');
    const items = isList === Array.isArray(value) && (isList || isRecord(value)) ? value : undefined;
    if (!items) {
      this.#fault(path, `must be a ${isList ? 'list' : 'mapping'}, and is ${nameOf(value)}`);
      return;
    }
    for (const [key, item] of Object.entries(items)) this.run(entry, item, [...path, key]);
  }

  #object(kind: Kind, value: unknown, path: readonly string[]): void {
    if (this.#seen.has(value)) return;
    if (kind === 'schema' && typeof value === 'boolean') return;
    if (!isRecord(value)) {
      this.#fault(path, `must be a ${wordsFor(kind)}, and is ${nameOf(value)}`);
      return;
    }
    this.#seen.add(value);
    if (SECTIONS[kind] && typeof value['$ref'] === 'string') {
      this.#target(kind, value['$ref']);
      if (kind !== 'schema' && kind !== 'pathItem') return;
    }
    for (const [key, child] of Object.entries(value)) {
      const field = fieldOf(kind, key);
      if (field !== undefined) this.run(field, child, [...path, key]);
      else if (!key.startsWith('x-')) this.#unknown(kind, key, value, path);
    }
    if (kind !== 'schema') return;
    if (isEndless(new Place(this.#description, path, value)))
      return this.#fault(path, 'never ends: it is a part or a branch of itself, for the same value');
    this.#format(value, path);
    this.#style(value, path);
    const { unevaluatedItems: rest = true } = value;
    if (rest !== true && this.#counted.from(new Place(this.#description, path, value)))
      this.#fault([...path, 'unevaluatedItems'], 'is not supported beside "contains"');
  }

  #target(kind: Kind, reference: string): void {
    const target = this.#description.find(reference.slice(1));
    this.run(kind, target.value, pathOfPointer(reference.slice(1)));
  }

  #unknown(kind: Kind, key: string, object: Mapping, path: readonly string[]): void {
    const here = [...path, key];
    if (kind === 'paths') return this.#fault(here, 'must start with "/"');
    const known = Object.keys(GRAMMAR[kind]);
    const meant = nearest(
      key,
      known.filter((name) => !Object.hasOwn(object, name)),
    );
    if (meant !== undefined)
      return this.#fault(here, `is no field of a ${wordsFor(kind)}; is "${meant}" meant?`);
    if (kind === 'pathItem')
      return this.#fault(here, 'is neither a method nor anything else that a path has');
    if (kind === 'schema' && key === 'dependencies')
      return this.#fault(here, 'is not supported; use "dependentRequired" or "dependentSchemas"');
    this.#warn(here, `is no field of a ${wordsFor(kind)} and means nothing`);
  }

  #format({ format }: Mapping, path: readonly string[]): void {
    const { unknownFormats } = this.#description;
    if (typeof format !== 'string' || isKnownFormat(format) || unknownFormats.has(format)) return;
    unknownFormats.add(format);
    this.#warn([...path, 'format'], `"${format}" is no format that is known, and checks nothing`);
  }

  /** Warns of schemas that are legal and seldom meant. */
  #style(schema: Mapping, path: readonly string[]): void {
    const { required, properties, items, type, $ref, allOf } = schema;
    if (Array.isArray(required) && isRecord(properties) && $ref === undefined && allOf === undefined)
      for (const name of required)
        if (typeof name === 'string' && !Object.hasOwn(properties, name))
          this.#warn([...path, 'required'], `"${name}" is none of the properties`);
    if (type === 'array' && items === undefined && schema['prefixItems'] === undefined)
      this.#warn(path, 'is a list of anything: it has no "items"');
  }
}

const LISTS = ['allOf', 'anyOf', 'oneOf', 'dependentSchemas'];

/** Tells whether the check of a value by this schema comes back to the schema with the same value. */
function isEndless(schema: Place): boolean {
  const seen = new Set<unknown>();
  const waiting = partsOf(schema);
  for (const part of waiting) {
    if (part.value === schema.value) return true;
    if (!seen.has(part.value)) waiting.push(...partsOf(part));
    seen.add(part.value);
  }
  return false;
}

/**
 * Returns the schemas that check the very value of this one; none where it is broken, which is reported
 * elsewhere.
 */
function partsOf(schema: Place): Place[] {
  const lists = LISTS.map((key) => schema.own(key).value).filter((value) => value !== undefined);
  if (lists.some((value) => typeof value !== 'object' || value === null)) return [];
  const parts = schema
    .own('allOf')
    .ownEntries()
    .map(([, part]) => part);
  const others = [schema.own('if'), schema.own('not')].filter(({ value }) => value !== undefined);
  return [...(schema.target ? [schema.target] : []), ...parts, ...others, ...branchesOf(schema)];
}

/**
 * Returns the schemas that the value of this one may meet: branches and conditions of it and its conjuncts.
 */
function inPlace(schema: Place): Place[] {
  return [...conjuncts(schema).values()].flatMap((one) => [one.own('if'), ...branchesOf(one)]);
}

function wordsFor(kind: Kind): string {
  return kind.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function nameOf(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : JSON.stringify(value);
}

/** Can this Node's server receive requests with this method? */
export function isServedMethod(method: string): boolean {
  return METHODS.includes(method) && method !== 'CONNECT';
}
