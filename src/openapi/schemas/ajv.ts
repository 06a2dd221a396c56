import { Ajv2020, type ValidateFunction, _ } from 'ajv/dist/2020.js';

import type { Description, Place } from '../description.js';
import { type Direction, directed } from './direction.js';
import { formats } from '../keywords/formats.js';
import { addKeywords } from '../keywords/keywords.js';
import { declarationsOf, withJoinedErrors } from './module-code.js';
import { prepared } from './prepare.js';
import { regExp } from '../keywords/reg-exp.js';

/** Compiles schemas that refer to an API description. */
export class SchemaCompiler {
  readonly #description: Description;
  readonly #ajv: Ajv2020;
  readonly #directed = directed();
  /** The name under which ajv has a schema of the description, by reference. */
  readonly #referred = new Map<string, string>();
  /** The name under which ajv has a schema that was compiled, by the schema. */
  readonly #compiled = new Map<string, string>();
  /** The name under which ajv has a schema, by the JSON of the schema: equal ones are compiled once. */
  readonly #names = new Map<string, string>();
  /** The names that another schema refers to. */
  readonly #used = new Set<string>();
  /** The names of referred schemas that have not been compiled, each behind those that it refers to. */
  readonly #uncompiled: string[] = [];

  constructor(description: Description) {
    this.#description = description;
    // The grammar has been checked: the meta-schema would take longer to compile than all else.
    this.#ajv = new Ajv2020({
      strict: false,
      allErrors: true,
      // Without this a required "constructor" would never be missing.
      ownProperties: true,
      meta: false,
      validateSchema: false,
      logger: false,
      code: {
        source: true,
        // The optimiser takes a fifth of the time, and V8 does the same again.
        optimize: false,
        process: withJoinedErrors,
        formats: _`require("./keywords/formats.js").formats`,
        regExp: Object.assign(regExp, { code: 'require("./keywords/reg-exp.js").regExp' }),
      },
    });
    for (const [name, format] of Object.entries(formats)) this.#ajv.addFormat(name, format);
    addKeywords(this.#ajv);
  }

  /** Compiles a schema. Throws an error that names the mistake in it. */
  compile(schema: object): ValidateFunction {
    const key = JSON.stringify(schema);
    const name =
      this.#compiled.get(key) ?? this.#add(this.#namedSchema(schema), `validate${this.#compiled.size}`);
    this.#compiled.set(key, name);
    this.#compileReferred();
    return this.#get(name);
  }

  /** Gives a schema to ajv, and returns the name under which ajv has it, or one that is the same. */
  #add(schema: object, name: string): string {
    const text = JSON.stringify(schema);
    const [reference, ...others] = Object.entries(schema);
    const target = reference?.[0] === '$ref' && others.length === 0 ? String(reference[1]) : undefined;
    const same = target ?? this.#names.get(text);
    // A schema that refers to itself through others has been referred to under its own name.
    if (same !== undefined && !this.#used.has(name)) return same;
    this.#names.set(text, name);
    this.#ajv.addSchema(schema, name);
    return name;
  }

  /**
   * Compiles the referred schemas one after the other. ajv would compile the target of a reference inside the
   * schema that refers to it, and long chains of them would not fit the stack. It refers by name to a schema
   * that it takes to be in compilation.
   */
  #compileReferred(): void {
    const pending = this.#ajv._compilations;
    const waiting = this.#uncompiled
      .splice(0)
      .map((name) => ({ name, environment: this.#ajv.schemas[name]! }));
    try {
      for (const { environment } of waiting) pending.add(environment);
      for (const { name, environment } of waiting) {
        pending.delete(environment);
        this.#get(name);
      }
    } finally {
      // A broken schema ends this; ajv compiles those behind it when they are referred to again.
      for (const { environment } of waiting) pending.delete(environment);
    }
  }

  #get(name: string): ValidateFunction {
    const validate = this.#ajv.getSchema(name);
    if (!validate) throw new Error(`ajv does not know ${name}, which it was given`);
    return validate;
  }

  /**
   * Returns a CommonJS module whose `validators` are all those compiled so far, by the JSON of their schema.
   */
  moduleCode(): string {
    const compiled = [...this.#compiled].map(([key, name]) => [key, this.#get(name)] as const);
    const code = declarationsOf(
      this.#ajv,
      compiled.map(([, validate]) => validate),
    );
    const table = compiled.map(
      ([key, { source }]) => `${JSON.stringify(key)}: ${String(source?.validateName)}`,
    );
    return `"use strict";\n${code}\nexports.validators = {\n${table.join(',\n')}\n};\n`;
  }

  /** Returns the schema with its references replaced by the names that ajv has for their targets. */
  #namedSchema(schema: object): object {
    if (Array.isArray(schema)) return schema.map((item) => this.#named(item));
    // A mapping of properties has a schema there, if one of them is called so.
    if (!('$ref' in schema && typeof schema.$ref === 'string'))
      return Object.fromEntries(Object.entries(schema).map(([key, child]) => [key, this.#named(child)]));
    const reference = schema.$ref;
    const direction = reference.startsWith('request') ? 'request' : 'response';
    return {
      $ref: this.#nameOf(this.#description.find(reference.slice(reference.indexOf('#') + 1)), direction),
    };
  }

  #named(value: unknown): unknown {
    return typeof value === 'object' && value !== null ? this.#namedSchema(value) : value;
  }

  /** Names a schema of the description, in which properties may be hidden that it does not hide itself. */
  #nameOf(target: Place, direction: Direction, hidden: ReadonlySet<string> = new Set()): string {
    const which = this.#directed.from(target) ? direction : 'both';
    const key = JSON.stringify([which, target.path, [...hidden]]);
    const known = this.#referred.get(key);
    if (known !== undefined) {
      this.#used.add(known);
      return known;
    }
    const name = `${direction}${this.#referred.size}`;
    this.#referred.set(key, name);
    const schema = prepared(target, {
      direction,
      refer: (place, others) => this.#nameOf(place, direction, others),
      hidden,
    });
    const added = this.#add(
      typeof schema === 'boolean' ? (schema ? {} : { not: {} }) : counted(schema),
      name,
    );
    this.#referred.set(key, added);
    if (added === name) this.#uncompiled.push(name);
    return added;
  }
}

/** Counts the calls of a schema that refers to others, and so may refer to itself. */
function counted(schema: object): object {
  const isReference = '$ref' in schema && Object.keys(schema).length === 1;
  return isReference || !JSON.stringify(schema).includes('"$ref"') ? schema : { ...schema, effort: true };
}
