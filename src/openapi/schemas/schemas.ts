import type { ValidateFunction } from 'ajv/dist/2020.js';
import type { Description, Place } from '../description.js';
import type { SchemaCompiler } from './ajv.js';
import { keywordOf } from './conjuncts.js';
import { type Validator, toValidator } from './validation.js';
import { messageOf } from '../../thrown.js';

/** The schemas of one description. */
export class Schemas {
  readonly #description: Description;
  /**
   * Validators by the JSON of their schema: thousands of operations have a few kinds of parameters, and equal
   * schemas share one validator.
   */
  readonly #validators = new Map<string, Validator>();
  readonly #isPutOff: boolean;
  /** Compiles the schemas that have been put off. */
  readonly #putOff: (() => unknown)[] = [];
  #made: SchemaCompiler | undefined;
  #forChecks: Schemas | undefined;

  /** With `later`, `compile` puts its work off until `compileAll`, or until the validator is called. */
  constructor(description: Description, { later }: { readonly later: boolean } = { later: false }) {
    this.#description = description;
    this.#isPutOff = later;
  }

  /** Compiles a schema. Throws ContractError at this place if it cannot be compiled. */
  compile(place: Place, schema: object): Validator {
    const text = JSON.stringify(schema);
    const known = this.#validators.get(text);
    if (known) return known;
    const validator = this.#isPutOff
      ? this.#compiledLater(place, schema)
      : toValidator(this.#description.artifact?.validators[text] ?? this.#compile(place, schema));
    this.#validators.set(text, validator);
    return validator;
  }

  /** Compiles the schemas that have been put off. Their mistakes are added to the description's faults. */
  compileAll(): void {
    for (const compile of this.#putOff.splice(0)) this.#description.attempt(compile);
  }

  #compiledLater(place: Place, schema: object): Validator {
    let validate: Validator | undefined;
    const compile = () => (validate ??= toValidator(this.#compile(place, schema)));
    this.#putOff.push(compile);
    return (value) => compile()(value);
  }

  /**
   * Returns the default of a schema. Throws for a default that its schema forbids: every
   * client would get a 400 for it.
   */
  fallbackOf(schema: Place): unknown {
    const fallback = keywordOf(schema, 'default');
    if (!fallback || this.#description.artifact) return fallback?.value;
    const validate = this.#checks.compile(schema, schema.asSchema('request'));
    const [complaint] = validate(fallback.value) ?? [];
    if (complaint)
      return fallback.fail(
        `is forbidden by its own schema: ${`${complaint.path} ${complaint.message}`.trim()}`,
      );
    return fallback.value;
  }

  /** Returns the source of a module with all validators that have been compiled. */
  moduleCode(): string {
    return this.#compiler.moduleCode();
  }

  #compile(place: Place, schema: object): ValidateFunction {
    try {
      return this.#compiler.compile(schema);
    } catch (error) {
      // A broken schema has been reported where it stands. Without this it would be reported again at
      // each place that refers to it.
      if (this.#description.faults.length > 0) throw error;
      return place.fail(messageOf(error));
    }
  }

  /** Compiles the schemas of defaults apart from the others, so that they are not written into the module. */
  get #checks(): Schemas {
    return (this.#forChecks ??= new Schemas(this.#description));
  }

  /** Loads ajv when it is first needed: it takes as long as the rest of a cold start. */
  get #compiler(): SchemaCompiler {
    const module: typeof import('./ajv.js') = require('./ajv.js');
    return (this.#made ??= new module.SchemaCompiler(this.#description));
  }
}
