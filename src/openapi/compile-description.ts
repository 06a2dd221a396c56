import { writeFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { artifactFile, digestOf } from './artifact.js';
import { Description, byPosition } from './description.js';
import { type Operation } from './operation.js';
import { findOperations } from './operations.js';
import { Schemas } from './schemas/schemas.js';
import type { Finding } from './source/finding.js';
import { checkPatterns } from './source/check-patterns.js';

/** All that can be said of a description without serving it. */
export interface Checked {
  readonly description: Description;
  readonly schemas: Schemas;
  /** Those that can be served. */
  readonly operations: readonly Operation[];
  /** What is wrong with it or not supported, as it stands in the files. Without any of these it is served. */
  readonly faults: readonly Finding[];
  readonly warnings: readonly Finding[];
}

/** Looks at all of a description. Throws ContractError where there is nothing to look at: no file, no YAML, no OpenAPI 3. */
export function checkDescription(file: string): Checked {
  const description = new Description(file, { compiled: false });
  const schemas = new Schemas(description);
  const operations = findOperations(description, schemas);
  checkPatterns(description);
  const faults = description.faults.toSorted(byPosition);
  return { description, schemas, operations, faults, warnings: description.warnings.toSorted(byPosition) };
}

/**
 * Run by the build: compiles an API description, so that no process has to when it starts. `copy` is where the description lies in
 * what is built; the result is written beside it. Throws ContractError at the first thing that is wrong.
 */
export function compileDescription(file: string, copy: string): void {
  writeCompiled(checkDescription(file), copy);
}

/** Writes what was compiled for a check. Throws ContractError at the first thing that is wrong. */
export function writeCompiled({ description, schemas }: Checked, copy: string): void {
  description.refuseFaults();
  const { document, text, unknownFormats, bundle, file } = description;
  const root = resolve(file);
  const sources = bundle.files.map((path) => [
    path === root ? '' : relative(dirname(root), path),
    digestOf(path),
  ]);
  writeFileSync(
    artifactFile(copy),
    `module.exports = (require) => {
const exports = {};
${schemas.moduleCode()}
exports.sources = ${JSON.stringify(Object.fromEntries(sources))};
exports.unknownFormats = ${JSON.stringify([...unknownFormats])};
exports.text = ${JSON.stringify(text)};
exports.document = JSON.parse(${JSON.stringify(JSON.stringify(document))});
return exports;
};
`,
  );
}
