import type { ValidateFunction } from 'ajv/dist/2020.js';
import type { Description, Place } from './description.js';
import type { SchemaCompiler } from './ajv.js';
import { type Validator, toValidator } from './validation.js';

/** The schemas of one description. */
export class Schemas {
  readonly #description: Description;
  #made: SchemaCompiler | undefined;

  constructor(description: Description) {
    this.#description = description;
  }

  /** Throws ContractError at this place when the schema can't be compiled. */
  compile(place: Place, schema: object): Validator {
    return toValidator(this.#artifact(schema) ?? this.#compile(place, schema));
  }

  /** A module with all that has been compiled. */
  moduleCode(): string {
    return this.#compiler.moduleCode();
  }

  #artifact(schema: object): ValidateFunction | undefined {
    return this.#description.artifact?.validators[JSON.stringify(schema)];
  }

  #compile(place: Place, schema: object): ValidateFunction {
    try {
      return this.#compiler.compile(schema);
    } catch (error) {
      return place.fail((error as Error).message);
    }
  }

  /** Not loaded before it is needed: it takes as long as all else in a cold start. */
  get #compiler(): SchemaCompiler {
    const module = require('./ajv.js') as typeof import('./ajv.js');
    return (this.#made ??= new module.SchemaCompiler(this.#description.document));
  }
}
