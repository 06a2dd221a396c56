import type { ValidateFunction } from 'ajv/dist/2020.js';
import type { Description, Place } from '../description.js';
import type { SchemaCompiler } from './ajv.js';
import { keywordOf } from './conjuncts.js';
import { type Validator, toValidator } from './validation.js';

/** The schemas of one description. */
export class Schemas {
  readonly #description: Description;
  /** By the text of the schema: thousands of operations have a few kinds of parameters, and code that is shared is compiled and cached once. */
  readonly #validators = new Map<string, Validator>();
  #made: SchemaCompiler | undefined;
  #forChecks: Schemas | undefined;

  constructor(description: Description) {
    this.#description = description;
  }

  /** Throws ContractError at this place when the schema can't be compiled. */
  compile(place: Place, schema: object): Validator {
    const text = JSON.stringify(schema);
    const known = this.#validators.get(text);
    if (known) return known;
    const validator = toValidator(
      this.#description.artifact?.validators[text] ?? this.#compile(place, schema),
    );
    this.#validators.set(text, validator);
    return validator;
  }

  /** The default of a schema. One that its own schema forbids would be told to every client as a fault of theirs. */
  fallbackOf(schema: Place): unknown {
    const fallback = keywordOf(schema, 'default');
    if (!fallback || this.#description.artifact) return fallback?.value;
    const validate = this.#checks.compile(schema, schema.asSchema('request'));
    const [complaint] = validate(fallback.value) ?? [];
    if (complaint)
      return fallback.fail(`is forbidden by its own schema: ${complaint.path} ${complaint.message}`);
    return fallback.value;
  }

  /** A module with all that has been compiled. */
  moduleCode(): string {
    return this.#compiler.moduleCode();
  }

  #compile(place: Place, schema: object): ValidateFunction {
    try {
      return this.#compiler.compile(schema);
    } catch (error) {
      // What is wrong with a schema has been said where it stands, and this would say it of all that refers to it.
      if (this.#description.faults.length > 0) throw error;
      return place.fail((error as Error).message);
    }
  }

  /** What is compiled for a look at the description only is no part of the module. */
  get #checks(): Schemas {
    return (this.#forChecks ??= new Schemas(this.#description));
  }

  /** Not loaded before it is needed: it takes as long as all else in a cold start. */
  get #compiler(): SchemaCompiler {
    const module = require('./ajv.js') as typeof import('./ajv.js');
    return (this.#made ??= new module.SchemaCompiler(this.#description));
  }
}
