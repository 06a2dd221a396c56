import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { CommandInput } from './command.js';
import { CommandError } from './command-error.js';
import { fromThePackage } from './package-imports.js';

const PACKAGE = resolve(__dirname, '../..');

/** Files of this package's own service that are copied into a project. */
const SHARED = [
  'swagger',
  'src/handlers',
  'src/service.ts',
  'test/handlers',
  'ecosystem.config.js',
  'ecosystem.cluster.config.js',
  'deploy/Dockerfile',
  '.dockerignore',
  'tsconfig.json',
  'tsconfig.build.json',
];

/** Development tools of a project, in the versions that this package uses. */
const TOOLS = [
  '@swc/core',
  '@swc/jest',
  '@types/jest',
  '@types/node',
  '@types/supertest',
  'jest',
  'supertest',
  'typescript',
] as const;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly overrides: Readonly<Record<string, string>>;
  readonly scarfSettings: object;
}

/** npm's list of what it has installed in a folder. */
interface InstalledPackages {
  readonly packages: Readonly<Record<string, { readonly resolved?: string }>>;
}

/** Makes a new project, a copy of this package's own service. */
export function init({ words, out }: CommandInput): Promise<void> {
  const [name, ...rest] = words;
  if (name === undefined || rest.length > 0) throw new CommandError('init wants the name of a new folder.');
  const folder = resolve(name);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new CommandError(`${name} is there already, and not empty.`);
  makeProject(folder, packageName(folder));
  out.write(`Made ${name}. Now:\n\n  cd ${name}\n  npm install\n  npm start\n`);
  return Promise.resolve();
}

/** Makes a package name that npm accepts from the folder's name. */
function packageName(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z\d._-]+/g, '-')
    .replace(/^[._-]+/, '');
  return name === '' ? 'my-api' : name;
}

function makeProject(folder: string, name: string): void {
  for (const entry of SHARED.filter((path) => existsSync(join(PACKAGE, path)))) copy(entry, folder);
  cpSync(join(PACKAGE, 'template'), folder, { recursive: true });
  for (const file of filesBelow(folder)) adapt(file, folder, name);
  writeFileSync(join(folder, '.gitignore'), 'node_modules/\ndist/\n.dist-*/\nsrc/generated/\n');
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifestOf(folder, name), null, 2)}\n`);
}

function copy(entry: string, folder: string): void {
  mkdirSync(dirname(join(folder, entry)), { recursive: true });
  cpSync(join(PACKAGE, entry), join(folder, entry), { recursive: true });
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
}

/**
 * Adapts a copied file: imports of files that the project does not have come from the package, and the
 * service gets the project's name.
 */
function adapt(file: string, folder: string, name: string): void {
  const text = readFileSync(file, 'utf8');
  const adapted = file.endsWith('.ts')
    ? fromThePackage(text, dirname(file), folder)
    : text.replaceAll(/(name: '|-t )koa-cluster-metrics/g, `$1${name}`);
  if (adapted !== text) writeFileSync(file, adapted);
}

function manifestOf(folder: string, name: string): object {
  const own: Manifest = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));
  return {
    name,
    version: '0.1.0',
    private: true,
    engines: own.engines,
    main: 'dist/main.js',
    scripts: {
      prepare: 'koa-cluster-metrics generate --if-possible',
      build: 'koa-cluster-metrics build',
      prestart: 'koa-cluster-metrics build --if-needed',
      start: 'exec node dist/main.js || node dist/main.js',
      dev: 'koa-cluster-metrics dev',
      check: 'koa-cluster-metrics check',
      scaffold: 'koa-cluster-metrics scaffold',
      pretest: 'koa-cluster-metrics generate',
      test: 'jest',
      typecheck: 'koa-cluster-metrics generate && tsc --noEmit',
    },
    dependencies: { [own.name]: fileOfPackage(folder, own.name) ?? `^${own.version}` },
    devDependencies: Object.fromEntries(TOOLS.map((tool) => [tool, own.devDependencies[tool]])),
    overrides: own.overrides,
    scarfSettings: own.scarfSettings,
  };
}

/**
 * Returns the file that npm has installed this package from, for a project in this folder; `undefined` where it
 * came from a registry, which has it for the project too.
 */
function fileOfPackage(folder: string, name: string): string | undefined {
  const installed = resolve(PACKAGE, '..');
  const list = join(installed, '.package-lock.json');
  if (!existsSync(list)) return undefined;
  const { packages }: InstalledPackages = JSON.parse(readFileSync(list, 'utf8'));
  const [, file] = /^file:(.+)$/.exec(packages[`node_modules/${name}`]?.resolved ?? '') ?? [];
  return file === undefined ? undefined : `file:${relative(folder, resolve(installed, '..', file))}`;
}
