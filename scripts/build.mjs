// Builds dist/ of the project in the current folder from the sources and the API description, whole or not at all: in a folder beside it, which then takes its place.
// With --if-needed (npm start) nothing is built where dist/ is of these very sources, nor where it came without the compiler.
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { digestOf } from './digest.mjs';
import { replaceFolder } from './replace-folder.mjs';

const path = (name) => join(process.cwd(), name);
const dist = path('dist');
const compiler = path('node_modules/typescript/bin/tsc');

/** The file in dist/ with the digest of its sources. */
const DIGEST = '.sources';

/** Whatever decides what is built. */
const INPUTS = ['src', 'swagger', 'scripts', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];

/** The age in milliseconds of a folder that a killed build has left. */
const LEFTOVER_MS = 3_600_000;

async function main(ifNeeded) {
  if (!existsSync(compiler)) {
    if (ifNeeded && existsSync(join(dist, 'main.js'))) return;
    throw new Error(
      'Cannot build: the TypeScript compiler is not installed. Run "npm ci" (with development dependencies) first.',
    );
  }
  const digest = digestOf(process.cwd(), INPUTS);
  if (!ifNeeded || !isBuiltOf(digest)) await build(digest);
}

function isBuiltOf(digest) {
  const file = join(dist, DIGEST);
  return existsSync(file) && readFileSync(file, 'utf8') === digest;
}

async function build(digest) {
  const { copyDescription, generate, missingHandlers, OWN } = await import('./generate.mjs');
  const { report } = await import('./openapi.mjs');
  const { openapi, checked, file } = await generate('checkButSchemas');
  removeLeftovers();
  const next = path(`.dist-${process.pid}`);
  mkdirSync(next);
  const status = compile(next);
  try {
    const compiled = openapi.withCompiled(checked);
    report({ faults: compiled.faults, warnings: [] }, { withWarnings: false });
    openapi.writeCompiled(compiled, copyDescription(file, join(next, 'generated')));
    if ((await status) !== 0) {
      for (const { id, file: name } of missingHandlers(openapi, checked.operations))
        console.error(`"${id}" has no handler, src/handlers/${name}.ts: "npm run scaffold" writes it.`);
      throw new Error('The sources do not compile: dist/ stays as it was.');
    }
    // The browser's files of the status page are copied, not compiled.
    if (OWN)
      cpSync(path('src/http/own-operations/status'), join(next, 'http/own-operations/status'), {
        recursive: true,
      });
    if (OWN) forgetDescription(join(next, 'generated'));
    writeFileSync(join(next, DIGEST), digest);
    replaceFolder(dist, next);
  } finally {
    // The compiler's program would go on after its launcher was ended, and write into the folder.
    await status;
    rmSync(next, { recursive: true, force: true });
  }
}

/** A project that has this package as its dependency adds its own description to these types. */
function forgetDescription(folder) {
  writeFileSync(join(folder, 'operations.d.ts'), 'export interface Operations {}\n');
  writeFileSync(
    join(folder, 'security.d.ts'),
    'export interface OperationSecurity {}\n\nexport interface SchemeCredentials {}\n',
  );
}

function removeLeftovers() {
  for (const name of readdirSync(process.cwd())) {
    const isOld = () => Date.now() - statSync(path(name)).mtimeMs > LEFTOVER_MS;
    if (name.startsWith('.dist-') && isOld()) rmSync(path(name), { recursive: true });
  }
}

/**
 * Compiles the sources into a folder, by another process: the schemas of the description are compiled meanwhile. Resolves with its exit
 * status when it has ended.
 */
function compile(folder) {
  const args = [compiler, '-p', path('tsconfig.build.json'), '--outDir', folder];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  return new Promise((resolve) => child.once('close', resolve));
}

/** A description that can't be served, or a folder that can't be written, is no fault of this program that needs a stack. */
function complaint({ code, name, message, stack }) {
  if (code !== undefined) return `Cannot build: ${message}`;
  return ['ContractError', 'DescriptionFileError', 'Error'].includes(name) ? message : stack;
}

await main(process.argv.includes('--if-needed')).catch((error) => {
  console.error(complaint(error));
  process.exitCode = 1;
});
