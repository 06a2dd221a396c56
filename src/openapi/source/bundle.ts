import { basename, extname } from 'node:path';
import { ContractError } from '../contract-error.js';
import { pointerTo } from '../pointer.js';
import type { Finding } from './finding.js';
import { type Kind, SECTIONS, entryOf, fieldOf, isKind, isRecord } from './grammar.js';
import { resolvedUrl, urlOf } from './identifiers.js';
import { type At, below, References, valueAt } from './references.js';
import { type SourceFile, rootOf } from './source-file.js';
import { upgradedSchema } from './upgrade.js';

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
  readonly #references: References;
  readonly #imports = new Map<string, Import>();
  /**
   * Copies by original and kind: aliases of YAML can repeat an object exponentially
   * often, and each is copied once.
   */
  readonly #copies = new WeakMap<object, Map<string, unknown>>();

  /** Reads the files. Throws ContractError when the first one can't be read or is no OpenAPI 3. */
  constructor(file: string) {
    this.#references = new References(file);
    this.root = this.#references.root;
    const value = rootOf(this.root);
    const start = { source: this.root, path: [], base: urlOf(this.root) };
    this.document = this.#withImports(mappingOf(this.#copy('document', value, start)));
  }

  get files(): string[] {
    return this.#references.files;
  }

  /** Makes a finding that names the file and position from which this path of the document came. */
  finding(path: readonly string[], reason: string): Finding {
    const found = [...this.#imports.values()].find(({ target }) =>
      target.every((key, index) => path[index] === key),
    );
    if (!found) return this.root.finding(path, reason);
    return found.at.source.finding([...found.at.path, ...path.slice(found.target.length)], reason);
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
      const found = this.#references.follow(reference, at);
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
      const found = this.#references.follow(reference, at);
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
}

/** Returns the value, or an empty mapping in place of anything else. */
function mappingOf(value: unknown): Mapping {
  return isRecord(value) ? value : {};
}

/**
 * Maps the values of an object. `Object.fromEntries` keeps a key such as `__proto__`,
 * which an assignment would lose.
 */
function mapped(object: Mapping, change: (key: string, value: unknown) => unknown): Mapping {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(key, value)]));
}
