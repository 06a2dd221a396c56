// The functions of src/openapi for scripts that run before anything is built. With a compiler it is compiled
// into a folder of its own; without sources it is taken from dist/.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digestOf } from './digest.mjs';

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const require = createRequire(import.meta.url);

/** Whatever decides what is compiled. */
const INPUTS = [
  'src/openapi',
  'src/thrown.ts',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts/tsconfig.openapi.json',
  'package-lock.json',
];

/** The modules of the room. */
export function loadOpenapi() {
  const compiler = path('node_modules/typescript/bin/tsc');
  if (!existsSync(path('src/openapi')) || !existsSync(compiler)) return modulesIn(path('dist/openapi'));
  const own = createHash('sha256').update(path('')).digest('hex').slice(0, 12);
  const folder = path(`node_modules/.cache/openapi-${own}`);
  const digest = digestOf(path(''), INPUTS);
  const note = join(folder, '.sources');
  if (!existsSync(note) || readFileSync(note, 'utf8') !== digest) {
    compile(compiler, folder);
    writeFileSync(note, digest);
  }
  return modulesIn(join(folder, 'openapi'));
}

function compile(compiler, folder) {
  const args = ['-p', path('scripts/tsconfig.openapi.json'), '--outDir', folder];
  const info = ['--tsBuildInfoFile', join(folder, '.tsbuildinfo')];
  const { status, stdout } = spawnSync(process.execPath, [compiler, ...args, ...info], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stdout);
}

function modulesIn(folder) {
  const names = [
    'compile-description',
    'project/description-file',
    'project/handler-names',
    'project/operation-types',
    'project/security-types',
    'project/stub',
    'operations/service-operations',
  ];
  return Object.assign({}, ...names.map((name) => require(join(folder, `${name}.js`))));
}

/**
 * Says all that is wrong with a description; of its warnings, where they are not asked for, only that a format is unknown. Throws where
 * it can't be served.
 */
export function report({ faults, warnings }, { withWarnings }) {
  for (const finding of faults) console.error(lineOf(finding, 'error'));
  for (const finding of warnings)
    if (withWarnings || finding.keyword === 'format') console.error(lineOf(finding, 'warning'));
  if (faults.length > 0)
    throw new Error(
      `${faults.length === 1 ? 'One thing is' : `${faults.length} things are`} wrong with the API description, or not supported.`,
    );
}

function lineOf({ file, line, column, keyword, reason }, kind) {
  return `${file}:${line}:${column} ${kind} ${keyword} ${reason}`;
}
