import { dirname, relative, resolve } from 'node:path';
import { digestOf, writeArtifact } from './artifact.js';
import { Description, byPosition } from './description.js';
import { type Operation } from './operations/operation.js';
import { findOperations } from './operations/operations.js';
import { Schemas } from './schemas/schemas.js';
import type { Finding } from './source/finding.js';
import { checkPatterns } from './source/check-patterns.js';

/** Result of checking a description without serving it. */
export interface Checked {
  readonly description: Description;
  readonly schemas: Schemas;
  /** The operations that can be served. */
  readonly operations: readonly Operation[];
  /** Mistakes and unsupported features, in the order of the files. A description without any is served. */
  readonly faults: readonly Finding[];
  readonly warnings: readonly Finding[];
}

/**
 * Checks a whole description. Throws ContractError where there is nothing to check: no
 * file, no YAML, no OpenAPI 3.
 */
export function checkDescription(file: string): Checked {
  return withCompiled(checkButSchemas(file));
}

/**
 * Checks all of a description but what only compiling its schemas shows, which takes most of the time.
 * `withCompiled` does the rest.
 */
export function checkButSchemas(file: string): Checked {
  const description = new Description(file, { compiled: false });
  const schemas = new Schemas(description, { later: true });
  const operations = findOperations(description, schemas);
  checkPatterns(description);
  return checked(description, schemas, operations);
}

/** Compiles the schemas, and adds the mistakes that are found in them. */
export function withCompiled({ description, schemas, operations }: Checked): Checked {
  schemas.compileAll();
  return checked(description, schemas, operations);
}

function checked(description: Description, schemas: Schemas, operations: readonly Operation[]): Checked {
  const faults = description.faults.toSorted(byPosition);
  return { description, schemas, operations, faults, warnings: description.warnings.toSorted(byPosition) };
}

/**
 * Compiles an API description during the build, so that no process has to when it starts. `copy` is
 * the path of the description in the build's output; the result is written beside it. Throws
 * ContractError for the first mistake.
 */
export function compileDescription(file: string, copy: string): void {
  writeCompiled(checkDescription(file), copy);
}

/** Writes the code that a check has compiled. Throws ContractError for the first mistake. */
export function writeCompiled({ description, schemas }: Checked, copy: string): void {
  description.refuseFaults();
  const { document, text, unknownFormats, withDefaults, bundle, file } = description;
  const root = resolve(file);
  const sources = bundle.files.map((path) => [
    path === root ? '' : relative(dirname(root), path),
    digestOf(path),
  ]);
  const isOwnText = text === bundle.root.text;
  writeArtifact(
    copy,
    asciiOf(`${schemas.moduleCode()}
exports.sources = ${JSON.stringify(Object.fromEntries(sources))};
exports.unknownFormats = ${JSON.stringify([...unknownFormats])};
exports.withDefaults = ${JSON.stringify([...withDefaults])};
exports.text = ${isOwnText ? undefined : JSON.stringify(text)};
exports.document = JSON.parse(${JSON.stringify(JSON.stringify(document))});
`),
  );
}

/**
 * Escapes the other characters of a module. All of them are in strings: ajv writes no other name into its
 * code.
 */
function asciiOf(code: string): string {
  return code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
