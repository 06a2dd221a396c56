import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { Description } from './description.js';
import { compileOperations } from './operations.js';
import { ARTIFACT, digestOf } from './artifact.js';
import { Schemas } from './schemas.js';

/** Run by the build: compiles an API description, so that no process has to when it starts. Throws ContractError. */
export function compileDescription(file: string): void {
  rmSync(ARTIFACT, { force: true });
  const description = new Description(file);
  const schemas = new Schemas(description);
  compileOperations(description, schemas);
  const unfinished = `${ARTIFACT}.${process.pid}`;
  writeFileSync(
    unfinished,
    `${schemas.moduleCode()}
exports.digest = ${JSON.stringify(digestOf(description.text))};
exports.document = ${JSON.stringify(description.document)};
`,
  );
  // A process that starts meanwhile must not load half of it.
  renameSync(unfinished, ARTIFACT);
}
