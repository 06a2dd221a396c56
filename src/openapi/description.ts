import { readFileSync } from 'node:fs';
import { ContractError } from './contract-error.js';
import { type Artifact, findArtifact } from './artifact.js';
import type { YamlSource } from './yaml-source.js';

/** The name by which a schema that is compiled refers to the description. */
export const DESCRIPTION = 'description';

/** An API description in memory: the text as it was written, and what it says. */
export class Description {
  readonly text: string;
  readonly document: Readonly<Record<string, unknown>>;
  /** What the build made of this very text. */
  readonly artifact: Artifact | undefined;
  #source: YamlSource | undefined;

  /** Reads an OpenAPI 3.1 description. Throws ContractError when it can't be read or is not YAML. */
  constructor(readonly file: string) {
    try {
      this.text = readFileSync(file, 'utf8');
    } catch (error) {
      throw new ContractError(file, '1:1', `cannot be read: ${(error as NodeJS.ErrnoException).code}`);
    }
    this.artifact = findArtifact(file, this.text);
    this.document = this.artifact?.document ?? this.#yaml.document;
    if (!this.artifact) this.#checkReferences(this.root);
  }

  /** Not read before it is needed: loading the parser takes longer than all else in a cold start. */
  get #yaml(): YamlSource {
    const module = require('./yaml-source.js') as typeof import('./yaml-source.js');
    return (this.#source ??= new module.YamlSource(this.file, this.text));
  }

  get root(): Place {
    return new Place(this, [], this.document);
  }

  /** What is at this JSON pointer, `undefined` as its value if nothing is. */
  find(pointer: string): Place {
    const path = pointer.split('/').slice(1).map(unescape);
    const value = path.reduce<unknown>(
      (at, key) => (isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined),
      this.document,
    );
    return new Place(this, path, value);
  }

  fail(path: readonly string[], reason: string): never {
    throw new ContractError(this.file, `${this.#yaml.lineOf(path)} (${pointerTo(path)})`, reason);
  }

  /** Every reference leads to something in this file; where it does not is known best here. */
  #checkReferences(place: Place): void {
    const { value } = place;
    if (typeof value !== 'object' || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      if (key === '$ref' && typeof child === 'string') checkReference(this, place, child);
      else if (!DATA.has(key)) this.#checkReferences(new Place(this, [...place.path, key], child));
    }
  }
}

/** Keys below which there is data and no description: a `$ref` in there is just a word. */
const DATA = new Set(['example', 'examples', 'default', 'const', 'enum']);

function checkReference(description: Description, place: Place, reference: string): void {
  if (!reference.startsWith('#')) {
    place.fail(`$ref "${reference}": only references into this file ("#/…") are supported`);
  }
  if (description.find(decodeURIComponent(reference)).value === undefined) {
    place.fail(`$ref "${reference}" leads to nothing`);
  }
}

/** A value of the description that knows where it stands, so that what is wrong with it can be said. */
export class Place {
  constructor(
    readonly description: Description,
    readonly path: readonly string[],
    readonly value: unknown,
  ) {}

  /** The schema that stands here, to be used in another one. */
  get asSchema(): object {
    return {
      $ref: `${DESCRIPTION}#${this.path.map((key) => `/${encodeURIComponent(escape(key))}`).join('')}`,
    };
  }

  /** What is under a key, through references. */
  at(key: string): Place {
    const child = isObject(this.value) && Object.hasOwn(this.value, key) ? this.value[key] : undefined;
    return new Place(this.description, [...this.path, key], child).resolved();
  }

  /** What is under each key, through references; nothing if there is nothing here. */
  entries(): [string, Place][] {
    if (this.value === undefined) return [];
    if (!isObject(this.value) && !Array.isArray(this.value)) this.fail('must be a mapping or a list');
    return Object.keys(this.value).map((key) => [key, this.at(key)]);
  }

  resolved(hops = 100): Place {
    const reference = isObject(this.value) ? this.value['$ref'] : undefined;
    if (typeof reference !== 'string') return this;
    if (hops === 0) this.fail('is a reference to itself');
    return this.description.find(decodeURIComponent(reference)).resolved(hops - 1);
  }

  string(): string | undefined {
    if (this.value === undefined || typeof this.value === 'string') return this.value;
    return this.fail('must be a string');
  }

  boolean(): boolean {
    if (this.value === undefined || typeof this.value === 'boolean') return this.value ?? false;
    return this.fail('must be true or false');
  }

  fail(reason: string): never {
    return this.description.fail(this.path, reason);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** RFC 6901. */
function pointerTo(path: readonly string[]): string {
  return `#${path.map((key) => `/${escape(key)}`).join('')}`;
}

function escape(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

function unescape(key: string): string {
  return key.replaceAll('~1', '/').replaceAll('~0', '~');
}
