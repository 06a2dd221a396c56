import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { CommandInput } from './command.js';
import { CommandError } from './command-error.js';
import { fromThePackage, PACKAGE_DOCS } from './package-imports.js';

const PACKAGE = resolve(__dirname, '../..');

/** Files of this package's own service that are copied into a project. */
const SHARED = [
  'swagger',
  'src/handlers',
  'src/service.ts',
  'src/serverless.ts',
  'test/handlers',
  'ecosystem.config.js',
  'ecosystem.cluster.config.js',
  'deploy',
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
  const [name] = words;
  if (name === undefined) throw new CommandError('init wants the name of a new folder.');
  const folder = resolve(name);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new CommandError(`${name} is there already, and not empty.`);
  makeProject(folder, packageName(folder));
  const word = /^[\w./-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
  out.write(`Made ${name}. Now:\n\n  cd ${word}\n  npm install\n  npm start\n`);
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
  for (const file of filesBelow(folder)) rewrite(file, (text) => adapted(text, file, folder, name));
  const units = join(folder, 'deploy/systemd');
  renameSync(join(units, 'koa-cluster-metrics.service'), join(units, `${name}.service`));
  cpSync(join(PACKAGE, 'template'), folder, { recursive: true });
  rewrite(join(folder, 'README.md'), (text) => text.replace('my-api', name));
  writeFileSync(join(folder, '.gitignore'), 'node_modules/\ndist/\n.dist-*/\nsrc/generated/\n');
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifestOf(folder, name), null, 2)}\n`);
}

function copy(entry: string, folder: string): void {
  mkdirSync(dirname(join(folder, entry)), { recursive: true });
  cpSync(join(PACKAGE, entry), join(folder, entry), { recursive: true, filter: isForProjects });
}

/**
 * Tells whether a file is a project's too: tests of the rules are about the API of this package's repository.
 */
function isForProjects(path: string): boolean {
  return !path.endsWith('.test.yml');
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
}

function rewrite(file: string, change: (text: string) => string): void {
  const text = readFileSync(file, 'utf8');
  const changed = change(text);
  if (changed !== text) writeFileSync(file, changed);
}

/**
 * Adapts a copied file: what the project does not have comes from the package, and the service gets the
 * project's name.
 */
function adapted(text: string, file: string, folder: string, name: string): string {
  const withDocs = text.replaceAll(/(?<![\w/])docs(?=\/)/g, PACKAGE_DOCS);
  if (file.endsWith('.ts')) return fromThePackage(withDocs, dirname(file), folder);
  return withDocs
    .replaceAll(/(?<!node_modules\/)koa-cluster-metrics/g, name)
    .replaceAll('dist/cli/main.js', 'node_modules/koa-cluster-metrics/dist/cli/main.js');
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
      observability: 'koa-cluster-metrics observability',
      pretest: 'koa-cluster-metrics generate',
      test: 'jest',
      'pretest:unit': 'koa-cluster-metrics generate',
      'test:unit': 'jest',
      typecheck: 'koa-cluster-metrics generate && tsc --noEmit',
      reload: 'koa-cluster-metrics reload',
      status: 'koa-cluster-metrics status',
      'clean:ledgers': 'koa-cluster-metrics clean-ledgers',
    },
    dependencies: { [own.name]: copyOfPackage(folder, own.name) ?? `^${own.version}` },
    devDependencies: Object.fromEntries(TOOLS.map((tool) => [tool, own.devDependencies[tool]])),
    overrides: own.overrides,
    scarfSettings: own.scarfSettings,
  };
}

/**
 * Copies the file that npm has installed this package from into a project, where a container finds it too.
 * Returns the dependency; `undefined` where the package came from a registry, which has it for the project as
 * well.
 */
function copyOfPackage(folder: string, name: string): string | undefined {
  const installed = resolve(PACKAGE, '..');
  const list = join(installed, '.package-lock.json');
  if (!existsSync(list)) return undefined;
  const { packages }: InstalledPackages = JSON.parse(readFileSync(list, 'utf8'));
  const [, file] = /^file:(.+)$/.exec(packages[`node_modules/${name}`]?.resolved ?? '') ?? [];
  if (file === undefined) return undefined;
  // The Dockerfile copies what begins with "package" before it installs.
  copyFileSync(resolve(installed, '..', file), join(folder, 'package.tgz'));
  return 'file:package.tgz';
}
