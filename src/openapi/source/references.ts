import { isAbsolute, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ContractError } from '../contract-error.js';
import { pathOfPointer } from '../pointer.js';
import { isRecord } from './grammar.js';
import { Identifiers, type Location, resolvedUrl } from './identifiers.js';
import { SourceFile } from './source-file.js';

/** A place in one of the files, and the URL that its references are relative to. */
export interface At extends Location {
  readonly base: string;
}

/** More references in a row than any description has: they lead in a circle. */
const MAX_HOPS = 100;

/** The files of a description, and where the references in them lead. */
export class References {
  readonly #files = new Map<string, SourceFile>();
  readonly #identifiers = new Identifiers();

  readonly root: SourceFile;

  /** Reads the first file. Throws ContractError if it can't be read. */
  constructor(file: string) {
    this.root = this.#load(resolve(file), file);
  }

  /** The absolute paths of the files that have been read. */
  get files(): string[] {
    return [...this.#files.keys()];
  }

  /**
   * Returns the place that a reference leads to, in this file or another one. Throws ContractError if
   * it leads nowhere.
   * @param hops the most references to go through on the way
   */
  follow(reference: string, at: At, hops = MAX_HOPS): At {
    const fail = (reason: string) => new ContractError(at.source.file, '', `"${reference}" ${reason}`);
    if (hops === 0) throw fail('is a reference to itself');
    const hash = reference.indexOf('#');
    const fragment = hash < 0 ? '' : reference.slice(hash + 1);
    const base = hash === 0 ? at.base : resolvedUrl(hash < 0 ? reference : reference.slice(0, hash), at.base);
    if (fragment !== '' && !fragment.startsWith('/')) return this.#named(fragment, base, fail);
    let here: At = { ...(this.#identifiers.find(base) ?? this.#opened(base, fail)), base };
    for (const key of pathOfPointer(fragment)) here = this.#step(here, key, hops);
    if (valueAt(here) === undefined) throw fail('leads to nothing');
    return here;
  }

  #named(anchor: string, base: string, fail: (reason: string) => ContractError): At {
    if (!this.#identifiers.find(base)) this.#opened(base, fail);
    const named = this.#identifiers.find(`${base}#${anchor}`);
    if (!named) throw fail('leads to nothing');
    if (this.#identifiers.isAmbiguous(anchor))
      throw fail('can lead to more than one $dynamicAnchor, which is not supported');
    return { ...named, base };
  }

  /** Goes one key deeper, through a reference where the object has no such key itself. */
  #step(at: At, key: string, hops: number): At {
    const value = valueAt(at);
    if (isRecord(value) && !Object.hasOwn(value, key) && typeof value['$ref'] === 'string')
      return below(this.follow(value['$ref'], at, hops - 1), key);
    return below(at, key);
  }

  #load(path: string, shown: string): SourceFile {
    const known = this.#files.get(path);
    if (known) return known;
    const source = new SourceFile(shown);
    this.#files.set(path, source);
    this.#identifiers.add(source);
    return source;
  }

  #opened(url: string, fail: (reason: string) => ContractError): Location {
    if (!url.startsWith('file:')) throw fail('is not a file of this description');
    const path = fileURLToPath(url);
    try {
      return { source: this.#load(path, isAbsolute(this.root.file) ? path : relative('.', path)), path: [] };
    } catch (error) {
      if (!(error instanceof ContractError) || !error.reason.startsWith('cannot be read')) throw error;
      throw fail(error.reason);
    }
  }
}

/** Returns the place one key deeper. */
export function below(at: At, key: string): At {
  return { ...at, path: [...at.path, key] };
}

/** Returns the value at a place; undefined if there is none. */
export function valueAt({ source, path }: Location): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? Reflect.get(value, key)
        : undefined,
    source.value,
  );
}
