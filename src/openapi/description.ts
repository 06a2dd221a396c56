import { relative } from 'node:path';
import { type Artifact, findArtifact } from './artifact.js';
import { ContractError } from './contract-error.js';
import { pathOfPointer, pointerTo } from './pointer.js';
import type { Bundle } from './source/bundle.js';
import type { Finding } from './source/finding.js';
import { isRecord } from './source/grammar.js';

/** An API description in memory, as one OpenAPI 3.1 document, and what was found wrong with it so far. */
export class Description {
  readonly document: Readonly<Record<string, unknown>>;
  /** What the build made of it. */
  readonly artifact: Artifact | undefined;
  readonly faults: Finding[] = [];
  /** The formats that nobody knows: they check nothing. */
  readonly unknownFormats: Set<string>;
  /** What is served, but may not be what its author meant. */
  readonly warnings: Finding[] = [];
  #bundle: Bundle | undefined;

  /** Reads a description. Throws ContractError when a file of it can't be read or is no description. */
  constructor(
    readonly file: string,
    options: { readonly compiled: boolean } = { compiled: true },
  ) {
    this.artifact = options.compiled ? findArtifact(file) : undefined;
    this.document = this.artifact?.document ?? this.bundle.document;
    this.unknownFormats = new Set(this.artifact?.unknownFormats);
    if (!this.artifact) this.faults.push(...this.bundle.faults);
  }

  /** Not made before it is needed: reading YAML takes longer than all else in a cold start. */
  get bundle(): Bundle {
    const module = require('./source/bundle.js') as typeof import('./source/bundle.js');
    return (this.#bundle ??= new module.Bundle(this.file));
  }

  get root(): Place {
    return new Place(this, [], this.document);
  }

  /** The description as text: the file itself, or where there are several or an older version, what became of them. */
  get text(): string {
    return this.artifact?.text ?? textOf(this.bundle);
  }

  /** What is at this JSON pointer, `undefined` as its value if nothing is. */
  find(pointer: string): Place {
    const path = pathOfPointer(pointer);
    const value = path.reduce<unknown>(
      (at, key) => (isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined),
      this.document,
    );
    return new Place(this, path, value);
  }

  /** Does one part of the work. What is wrong with it is noted, so that the other parts are looked at too. */
  attempt<T>(part: () => T): T | undefined {
    try {
      return part();
    } catch (error) {
      if (error instanceof Misplaced) this.#note(error.finding);
      // What is wrong with a description can make anything of it fail that is looked at later.
      else if (this.faults.length === 0) throw error;
      return undefined;
    }
  }

  #note(finding: Finding): void {
    if (!this.faults.some((known) => byPosition(known, finding) === 0)) this.faults.push(finding);
  }

  /** Throws the first of the faults that were noted, as they stand in the files. */
  refuseFaults(): void {
    const [first, ...others] = this.faults.toSorted(byPosition);
    if (!first) return;
    const { file, line, column, pointer, reason } = first;
    throw new ContractError(file, `${line}:${column} (${pointer})`, reason, others.length);
  }

  warn(path: readonly string[], reason: string): void {
    this.warnings.push(this.#finding(path, reason));
  }

  fail(path: readonly string[], reason: string): never {
    throw new Misplaced(this.#finding(path, reason));
  }

  #finding(path: readonly string[], reason: string): Finding {
    if (!this.artifact) return this.bundle.finding(path, reason);
    return {
      file: relative('.', this.file),
      line: 1,
      column: 1,
      pointer: pointerTo(path),
      keyword: path.at(-1) ?? '',
      reason,
    };
  }
}

/** In the order of a reader. */
export function byPosition(one: Finding, other: Finding): number {
  return one.file.localeCompare(other.file) || one.line - other.line || one.column - other.column;
}

/** Something in the description is not as it must be. */
class Misplaced extends ContractError {
  constructor(readonly finding: Finding) {
    super(finding.file, `${finding.line}:${finding.column} (${finding.pointer})`, finding.reason);
  }
}

function textOf(bundle: Bundle): string {
  if (
    bundle.files.length === 1 &&
    bundle.document['openapi'] === (bundle.root.value as { openapi?: unknown }).openapi
  )
    return bundle.root.text;
  const { stringify } = require('yaml') as typeof import('yaml');
  return stringify(bundle.document);
}

/** A value of the description that knows where it stands, so that what is wrong with it can be said. */
export class Place {
  constructor(
    readonly description: Description,
    readonly path: readonly string[],
    readonly value: unknown,
  ) {}

  /** What is under a key, through references. */
  at(key: string): Place {
    return this.own(key).resolved();
  }

  /** What is under a key, be it a reference. */
  own(key: string): Place {
    const child = isObject(this.value) && Object.hasOwn(this.value, key) ? this.value[key] : undefined;
    return new Place(this.description, [...this.path, key], child);
  }

  /** What is under each key, through references; nothing if there is nothing here. */
  entries(): [string, Place][] {
    return this.ownEntries().map(([key, place]) => [key, place.resolved()]);
  }

  /** What is under each key, be it a reference. */
  ownEntries(): [string, Place][] {
    if (this.value === undefined) return [];
    if (!isObject(this.value)) return this.fail('must be a mapping or a list');
    return Object.keys(this.value).map((key) => [key, this.own(key)]);
  }

  /** What it refers to; `undefined` if it is no reference. */
  get target(): Place | undefined {
    const reference = isRecord(this.value) ? this.value['$ref'] : undefined;
    return typeof reference === 'string' ? this.description.find(reference.slice(1)) : undefined;
  }

  /** What it refers to in the end; itself if it is no reference. */
  resolved(hops = 100): Place {
    if (hops === 0) return this.fail('is a reference to itself');
    return this.target?.resolved(hops - 1) ?? this;
  }

  /** The schema that stands here, to be used in another one that is about the same direction. */
  asSchema(direction: 'request' | 'response'): object {
    return { $ref: `${direction}${encodeURI(pointerTo(this.path))}` };
  }

  string(): string | undefined {
    if (this.value === undefined || typeof this.value === 'string') return this.value;
    return this.fail('must be a string');
  }

  boolean(): boolean {
    if (this.value === undefined || typeof this.value === 'boolean') return this.value ?? false;
    return this.fail('must be true or false');
  }

  warn(reason: string): void {
    this.description.warn(this.path, reason);
  }

  fail(reason: string): never {
    return this.description.fail(this.path, reason);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
