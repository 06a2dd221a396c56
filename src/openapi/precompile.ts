import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { Description } from './description.js';
import { compileOperations } from './contract.js';
import { PRECOMPILED, digestOf } from './precompiled.js';
import { Schemas } from './schemas.js';

/** Run by the build: compiles an API description, so that no process has to when it starts. Throws ContractError. */
export function precompile(file: string): void {
  rmSync(PRECOMPILED, { force: true });
  const description = new Description(file);
  const schemas = new Schemas(description);
  compileOperations(description, schemas, true);
  const unfinished = `${PRECOMPILED}.${process.pid}`;
  writeFileSync(
    unfinished,
    `${schemas.moduleCode()}
exports.digest = ${JSON.stringify(digestOf(description.text))};
exports.document = ${JSON.stringify(description.document)};
`,
  );
  // A process that starts meanwhile must not load half of it.
  renameSync(unfinished, PRECOMPILED);
}
