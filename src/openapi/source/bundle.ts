import { basename, extname, isAbsolute, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ContractError } from '../contract-error.js';
import { pathOfPointer, pointerTo } from '../pointer.js';
import type { Finding } from './finding.js';
import { type Kind, SECTIONS, entryOf, fieldOf, isKind, isRecord } from './grammar.js';
import { Identifiers, type Location, resolvedUrl, urlOf } from './identifiers.js';
import { SourceFile, rootOf } from './source-file.js';
import { upgradedSchema } from './upgrade.js';

/** A place in one of the files, and the URL that its references are relative to. */
interface At extends Location {
  readonly base: string;
}

/** An object of another file, and its path in the one document. */
interface Import {
  readonly target: readonly string[];
  readonly kind: Kind;
  readonly at: At;
}

type Mapping = Readonly<Record<string, unknown>>;

/**
 * A description as one OpenAPI 3.1 document: objects of other files are copied into `components`, 3.0 is
 * written as 3.1, and every reference is a pointer into the document.
 */
export class Bundle {
  readonly document: Mapping;
  /** Mistakes in references. */
  readonly faults: Finding[] = [];
  readonly root: SourceFile;
  readonly #files = new Map<string, SourceFile>();
  readonly #identifiers = new Identifiers();
  readonly #imports = new Map<string, Import>();
  /**
   * Copies by original and kind: aliases of YAML can repeat an object exponentially
   * often, and each is copied once.
   */
  readonly #copies = new WeakMap<object, Map<string, unknown>>();

  /** Reads the files. Throws ContractError when the first one can't be read or is no OpenAPI 3. */
  constructor(file: string) {
    this.root = this.#load(resolve(file), file);
    const value = rootOf(this.root);
    const start = { source: this.root, path: [], base: urlOf(this.root) };
    this.document = this.#withImports(mappingOf(this.#copy('document', value, start)));
  }

  get files(): string[] {
    return [...this.#files.keys()];
  }

  /** Makes a finding that names the file and position from which this path of the document came. */
  finding(path: readonly string[], reason: string): Finding {
    const found = [...this.#imports.values()].find(({ target }) =>
      target.every((key, index) => path[index] === key),
    );
    if (!found) return this.root.finding(path, reason);
    return found.at.source.finding([...found.at.path, ...path.slice(found.target.length)], reason);
  }

  #load(path: string, shown: string): SourceFile {
    const known = this.#files.get(path);
    if (known) return known;
    const source = new SourceFile(shown);
    this.#files.set(path, source);
    this.#identifiers.add(source);
    return source;
  }

  #withImports(document: Mapping): Mapping {
    const openapi = this.root.version.startsWith('3.0') ? '3.1.1' : document['openapi'];
    if (this.#imports.size === 0) return { ...document, openapi };
    const components = { ...mappingOf(document['components']) };
    for (const { kind, at, target } of this.#imports.values()) {
      // A copy can import more: that is added to the map while this loop runs over it, and
      // copied later in the same loop.
      const [, section = '', name = ''] = target;
      const added = this.#copy(kind, valueAt(at), at);
      components[section] = { ...mappingOf(components[section]), [name]: added };
    }
    return { ...document, openapi, components };
  }

  #copy(field: string, value: unknown, at: At): unknown {
    const entry = entryOf(field);
    if (entry && Array.isArray(value))
      return value.map((item, index) => this.#copy(entry, item, below(at, String(index))));
    if (!isRecord(value)) return value;
    if (entry && field.startsWith('{'))
      return mapped(value, (key, item) => this.#copy(entry, item, below(at, key)));
    if (!isKind(field)) return value;
    const copies = this.#copies.get(value) ?? new Map<string, unknown>();
    this.#copies.set(value, copies);
    if (!copies.has(field)) copies.set(field, this.#copyObject(field, value, at));
    return copies.get(field);
  }

  #copyObject(kind: Kind, value: Mapping, outside: At): unknown {
    const { $id } = value;
    const isSchema = kind === 'schema';
    const at =
      isSchema && typeof $id === 'string' ? { ...outside, base: resolvedUrl($id, outside.base) } : outside;
    const object = isSchema ? this.#plainSchema(value, at.source) : value;
    if (kind === 'discriminator') return this.#discriminator(object, at);
    if (kind === 'operation' && typeof value['$ref'] === 'string') return this.#operation(value['$ref'], at);
    return mapped(object, (key, child) => {
      if (key === '$ref' && typeof child === 'string' && SECTIONS[kind])
        return this.#reference(kind, child, at);
      const field = fieldOf(kind, key);
      return field === undefined ? child : this.#copy(field, child, below(at, key));
    });
  }

  /** Writes a schema as 3.1, without identifiers of its own: all references to it are pointers. */
  #plainSchema(schema: Mapping, source: SourceFile): Mapping {
    if ((source.version || this.root.version).startsWith('3.0')) return upgradedSchema(schema);
    const { $id, $anchor, $dynamicAnchor, $dynamicRef, ...rest } = schema;
    if ($dynamicRef !== undefined) return { $ref: $dynamicRef, ...rest };
    return ($id ?? $anchor ?? $dynamicAnchor) ? rest : schema;
  }

  /** The operation that another one is said to be: the specification has no such reference, most tools do. */
  #operation(reference: string, at: At): unknown {
    try {
      const found = this.#follow(reference, at, 100);
      const value = valueAt(found);
      if (isRecord(value) && !('$ref' in value)) return this.#copy('operation', value, found);
      throw new ContractError(at.source.file, '', `"${reference}" is no operation`);
    } catch (error) {
      this.#note(error, at);
      return {};
    }
  }

  #note(error: unknown, at: At): void {
    if (!(error instanceof ContractError)) throw error;
    this.faults.push(at.source.finding([...at.path, '$ref'], error.reason));
  }

  #discriminator(object: Mapping, at: At): Mapping {
    const { mapping } = object;
    if (!isRecord(mapping)) return object;
    const targets = mapped(mapping, (_, target) =>
      typeof target === 'string' && /[#/]|\.(?:ya?ml|json)$/.test(target)
        ? this.#reference('schema', target, at)
        : target,
    );
    return { ...object, mapping: targets };
  }

  /**
   * Returns the pointer that a reference becomes. A reference that leads to nothing stays as it
   * is, and is added to the faults.
   */
  #reference(kind: Kind, reference: string, at: At): string {
    try {
      const found = this.#follow(reference, at, 100);
      if (found.source === this.root) return encodeURI(pointerTo(found.path));
      return pointerTo(this.#imported(kind, found));
    } catch (error) {
      this.#note(error, at);
      return reference;
    }
  }

  #imported(kind: Kind, at: At): readonly string[] {
    const section = SECTIONS[kind] ?? '';
    const key = `${section} ${at.source.file}${pointerTo(at.path)}`;
    const known = this.#imports.get(key);
    if (known) return known.target;
    const target = ['components', section, this.#nameFor(section, at)];
    this.#imports.set(key, { target, kind, at });
    return target;
  }

  #nameFor(section: string, { source, path }: At): string {
    const own = valueAt({ source: this.root, path: ['components', section] });
    const plain = (path.at(-1) ?? basename(source.file, extname(source.file))).replaceAll(/[^\w.-]/g, '_');
    const taken = new Set(isRecord(own) ? Object.keys(own) : []);
    for (const { target } of this.#imports.values()) if (target[1] === section) taken.add(target[2] ?? '');
    let name = plain;
    for (let count = 2; taken.has(name); count += 1) name = `${plain}_${count}`;
    return name;
  }

  #follow(reference: string, at: At, hops: number): At {
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
      return below(this.#follow(value['$ref'], at, hops - 1), key);
    return below(at, key);
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

/** Returns the value, or an empty mapping in place of anything else. */
function mappingOf(value: unknown): Mapping {
  return isRecord(value) ? value : {};
}

function below(at: At, key: string): At {
  return { ...at, path: [...at.path, key] };
}

function valueAt({ source, path }: Location): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? Reflect.get(value, key)
        : undefined,
    source.value,
  );
}

/**
 * Maps the values of an object. `Object.fromEntries` keeps a key such as `__proto__`,
 * which an assignment would lose.
 */
function mapped(object: Mapping, change: (key: string, value: unknown) => unknown): Mapping {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(key, value)]));
}
