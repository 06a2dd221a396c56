// Writes a handler that is still to be filled in for each operation of the API description that has none: npm run scaffold.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { generate, missingHandlers, OWN } from './generate.mjs';

try {
  const { openapi, checked } = await generate();
  const missing = missingHandlers(openapi, checked.operations);
  for (const { operation, ...name } of missing) write(name.file, openapi.stub(operation, name));
  if (missing.length > 0) await generate();
  const written = missing.length === 1 ? '1 handler was' : `${missing.length} handlers were`;
  console.log(`${written} written to src/handlers.`);
  const schemes = openapi.declaredSchemes(checked).filter((name) => name !== 'metricsToken');
  if (schemes.length > 0)
    console.log(
      `The service starts when src/service.ts has a function for each of: ${schemes.join(', ')} (${docs()}/security.md).`,
    );
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

function write(name, text) {
  const file = join('src/handlers', `${name}.ts`);
  if (existsSync(file)) throw new Error(`${file} is there, and is not the handler of this operation.`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, OWN ? text : fromThePackage(text, dirname(file)));
}

/** A project has the neighbours of its handlers from the package. */
function fromThePackage(text, folder) {
  return packageImports().fromThePackage(text, join(process.cwd(), folder), process.cwd());
}

/** The folder of the pages. */
function docs() {
  return OWN ? 'docs' : packageImports().PACKAGE_DOCS;
}

function packageImports() {
  return createRequire(import.meta.url)('../dist/cli/package-imports.js');
}
