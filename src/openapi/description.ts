import { readFileSync } from 'node:fs';
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
  /** The compiled form that the build has made; `undefined` if there is none of these files. */
  readonly artifact: Artifact | undefined;
  readonly faults: Finding[] = [];
  /** The `format`s that are not known here: they check nothing. */
  readonly unknownFormats: Set<string>;
  /** JSON pointers of the bodies' schemas that have defaults. */
  readonly withDefaults: Set<string>;
  /** Findings of parts that are served, but may not be what their author meant. */
  readonly warnings: Finding[] = [];
  #bundle: Bundle | undefined;

  /** Reads a description. Throws ContractError when its file can't be read or is no description. */
  constructor(
    readonly file: string,
    options: { readonly compiled: boolean } = { compiled: true },
  ) {
    this.artifact = options.compiled ? findArtifact(file) : undefined;
    this.document = this.artifact?.document ?? this.bundle.document;
    this.unknownFormats = new Set(this.artifact?.unknownFormats);
    this.withDefaults = new Set(this.artifact?.withDefaults);
    if (!this.artifact) this.faults.push(...this.bundle.faults);
  }

  /** Reads the YAML when it is first needed: that takes longer than the rest of a cold start. */
  get bundle(): Bundle {
    const module: typeof import('./source/bundle.js') = require('./source/bundle.js');
    return (this.#bundle ??= new module.Bundle(this.file));
  }

  get root(): Place {
    return new Place(this, [], this.document);
  }

  /**
   * The description as text: the file itself, or the bundled document where there are
   * several files or an older version.
   */
  get text(): string {
    if (this.artifact) return this.artifact.text ?? readFileSync(this.file, 'utf8');
    return textOf(this.bundle);
  }

  /** Returns the place at this JSON pointer. Its value is `undefined` if the document has nothing there. */
  find(pointer: string): Place {
    const path = pathOfPointer(pointer);
    const value = path.reduce<unknown>(
      (at, key) => (isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined),
      this.document,
    );
    return new Place(this, path, value);
  }

  /**
   * Does one part of the work. A mistake in it is added to the faults, so that the
   * other parts are checked too.
   */
  attempt<T>(part: () => T): T | undefined {
    try {
      return part();
    } catch (error) {
      if (error instanceof Misplaced) this.#note(error.finding);
      // After a fault, other errors are only its consequences. Without any, an error is a bug, and is thrown.
      else if (this.faults.length === 0) throw error;
      return undefined;
    }
  }

  #note(finding: Finding): void {
    if (!this.faults.some((known) => byPosition(known, finding) === 0)) this.faults.push(finding);
  }

  /** Throws ContractError for the first fault, in the order of the files, if there is any. */
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

/** Compares findings for a sort by file, line and column. */
export function byPosition(one: Finding, other: Finding): number {
  return one.file.localeCompare(other.file) || one.line - other.line || one.column - other.column;
}

/** A ContractError that keeps its finding. */
class Misplaced extends ContractError {
  constructor(readonly finding: Finding) {
    super(finding.file, `${finding.line}:${finding.column} (${finding.pointer})`, finding.reason);
  }
}

function textOf(bundle: Bundle): string {
  const { value, text } = bundle.root;
  const isCurrent = isObject(value) && value['openapi'] === bundle.document['openapi'];
  if (bundle.files.length === 1 && isCurrent) return text;
  const { stringify }: typeof import('yaml') = require('yaml');
  return stringify(bundle.document);
}

/** A value of the description with its path, so that an error can name it. */
export class Place {
  constructor(
    readonly description: Description,
    readonly path: readonly string[],
    readonly value: unknown,
  ) {}

  /** Returns the place under a key, through references. */
  at(key: string): Place {
    return this.own(key).resolved();
  }

  /** Returns the place under a key, without following a reference. */
  own(key: string): Place {
    const child = isObject(this.value) && Object.hasOwn(this.value, key) ? this.value[key] : undefined;
    return new Place(this.description, [...this.path, key], child);
  }

  /** Returns key and place of each entry, through references; empty if there is no value here. */
  entries(): [string, Place][] {
    return this.ownEntries().map(([key, place]) => [key, place.resolved()]);
  }

  /** Returns key and place of each entry, without following references; empty if there is no value here. */
  ownEntries(): [string, Place][] {
    if (this.value === undefined) return [];
    if (!isObject(this.value)) return this.fail('must be a mapping or a list');
    return Object.keys(this.value).map((key) => [key, this.own(key)]);
  }

  /** The place that this reference leads to; `undefined` if it is no reference. */
  get target(): Place | undefined {
    const reference = isRecord(this.value) ? this.value['$ref'] : undefined;
    return typeof reference === 'string' ? this.description.find(reference.slice(1)) : undefined;
  }

  /** Follows references to the last one; returns this place if it is no reference. */
  resolved(hops = 100): Place {
    if (hops === 0) return this.fail('is a reference to itself');
    return this.target?.resolved(hops - 1) ?? this;
  }

  /** Returns a reference to the schema here, for use in another schema of the same direction. */
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
