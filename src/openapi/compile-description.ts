import { writeFileSync } from 'node:fs';
import { Description } from './description.js';
import { compileOperations } from './operations.js';
import { artifactFile, digestOf } from './artifact.js';
import { Schemas } from './schemas.js';

/**
 * Run by the build: compiles an API description, so that no process has to when it starts. `copy` is where the description lies in
 * what is built; the result is written beside it. Throws ContractError.
 */
export function compileDescription(file: string, copy: string): void {
  const description = new Description(file);
  const schemas = new Schemas(description);
  compileOperations(description, schemas);
  writeFileSync(
    artifactFile(copy),
    `module.exports = (require) => {
const exports = {};
${schemas.moduleCode()}
exports.digest = ${JSON.stringify(digestOf(description.text))};
exports.document = ${JSON.stringify(description.document)};
return exports;
};
`,
  );
}
