import type { ValidateFunction } from 'ajv/dist/2020.js';
import type { Description, Place } from './description.js';
import type { SchemaCompiler } from './schema-compiler.js';
import { type Validator, toValidator } from './validation.js';

/** The name by which a schema refers to the description. */
export const DESCRIPTION = 'description';

/** The schemas of one description. */
export class Schemas {
  readonly #description: Description;
  #made: SchemaCompiler | undefined;

  constructor(description: Description) {
    this.#description = description;
  }

  /** The schema that stands at a place, to be used in another. */
  static at(place: Place): object {
    return { $ref: `${DESCRIPTION}${place.reference}` };
  }

  /** Throws ContractError at this place when the schema can't be compiled. */
  compile(place: Place, schema: object): Validator {
    return toValidator(this.#precompiled(schema) ?? this.#compile(place, schema));
  }

  /** A module with all that has been compiled. */
  moduleCode(): string {
    return this.#compiler.moduleCode();
  }

  #precompiled(schema: object): ValidateFunction | undefined {
    return this.#description.precompiled?.validators[JSON.stringify(schema)];
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
    const module = require('./schema-compiler.js') as typeof import('./schema-compiler.js');
    return (this.#made ??= new module.SchemaCompiler(this.#description.document));
  }
}
