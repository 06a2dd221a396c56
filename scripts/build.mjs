// Builds dist/: types from the API description, then the TypeScript compiler. With --if-needed (npm start) a package that was installed without
// development dependencies runs the dist/ that it came with.
import { createRequire } from 'node:module';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const ifNeeded = process.argv.includes('--if-needed');
const compiler = path('node_modules/typescript/bin/tsc');

if (existsSync(compiler)) {
  const { generate } = await import('./generate.mjs');
  await generate().catch(stop);
  const { status } = spawnSync(process.execPath, [compiler, '-p', path('tsconfig.build.json')], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
  compileDescription();
} else if (!ifNeeded || !existsSync(path('dist/main.js'))) {
  console.error(
    'Cannot build: the TypeScript compiler is not installed. Run "npm ci" (with development dependencies) first.',
  );
  process.exit(1);
}

/** A description that can't be served is the user's to mend, and no fault of this program that needs a stack. */
function compileDescription() {
  try {
    createRequire(import.meta.url)('../dist/openapi/compile-description.js').compileDescription(
      path('swagger/swagger.yaml'),
    );
  } catch (error) {
    if (error.name !== 'ContractError') throw error;
    stop(error);
  }
}

function stop(error) {
  console.error(error.message);
  process.exit(1);
}
