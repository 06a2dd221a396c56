import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import standaloneCode from 'ajv/dist/standalone';
import addFormats from 'ajv-formats';
import { DESCRIPTION } from './description.js';

/** Words that OpenAPI adds to JSON Schema and that say nothing about validity. */
const ANNOTATIONS = ['example', 'xml', 'externalDocs'];

/** Compiles schemas that refer to an API description. */
export class SchemaCompiler {
  readonly #ajv: Ajv2020;
  /** The name under which ajv has a schema, by the schema. */
  readonly #names = new Map<string, string>();

  constructor(document: object) {
    // A keyword's own check of its value is enough: the meta-schema would take longer to compile than all else.
    this.#ajv = new Ajv2020({
      strict: true,
      strictTypes: true,
      strictTuples: true,
      allowUnionTypes: true,
      allErrors: true,
      // Without this a required "constructor" would never be missing.
      ownProperties: true,
      discriminator: true,
      meta: false,
      validateSchema: false,
      code: { source: true },
    });
    addFormats.default(this.#ajv);
    // To ajv the description is one big schema, in which the ones that it compiles stand.
    this.#ajv.addVocabulary([...ANNOTATIONS, ...Object.keys(document)]);
    this.#ajv.addSchema(document, DESCRIPTION);
  }

  /** Throws an error that says what is wrong with the schema. */
  compile(schema: object): ValidateFunction {
    const key = JSON.stringify(schema);
    const name = this.#names.get(key) ?? `validate${this.#names.size}`;
    if (!this.#names.has(key)) this.#ajv.addSchema(schema, name);
    this.#names.set(key, name);
    return this.#ajv.getSchema(name) as ValidateFunction; // it has just been given this name
  }

  /** A CommonJS module whose `validators` are all that was compiled so far, by the JSON of the schema. */
  moduleCode(): string {
    const names = [...this.#names];
    const code = standaloneCode(this.#ajv, Object.fromEntries(names.map(([, name]) => [name, name])));
    const table = names.map(([key, name]) => `${JSON.stringify(key)}: exports.${name}`);
    return `${code}\nexports.validators = {\n${table.join(',\n')}\n};\n`;
  }
}
