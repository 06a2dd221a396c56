import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const GREETINGS = join(ROOT, 'test/fixtures/greetings/swagger.yaml');

/** Files that the project's user does not edit. */
const PROJECT = [
  'scripts',
  'src',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
];

/** Files that the project's user edits. */
const USERS = ['src/generated', 'src/handlers', 'src/service.ts'];

const FILES = {
  'src/service.ts': `import { join } from 'node:path';
import { handlers } from './generated/handlers.js';
import { defineService } from './http/define-service.js';

export const service = defineService({ description: join(__dirname, 'generated/swagger/swagger.yaml'), handlers });
`,
  'src/handlers/greet.ts': handler('greet', `() => ({ message: 'Hello.' })`),
  'src/handlers/hello.ts': handler('hello', '({ path }) => ({ message: `Hello, ${path.name}!` })'),
  'src/handlers/echo.ts': handler('echo', '({ body }) => body'),
};

function handler(id: string, code: string): string {
  return `import type { Handler } from '../http/handler.js';\n\nexport const ${id}: Handler<'${id}'> = ${code};\n`;
}

/** Copies this project into a folder, where it serves the greetings of test/fixtures in place of its user's API. Packages are linked. */
export function copyProject(folder: string): void {
  for (const name of PROJECT) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  useGreetings(folder);
}

/** Puts the greetings in place of what the user of a project has edited. */
export function useGreetings(folder: string): void {
  for (const name of USERS) rmSync(join(folder, name), { recursive: true, force: true });
  write(folder, FILES);
  rmSync(join(folder, 'swagger'), { recursive: true, force: true });
  cpSync(GREETINGS, join(folder, 'swagger/swagger.yaml'));
}

/** Copies the project, and writes what is made of its description. */
export function generateProject(folder: string): void {
  copyProject(folder);
  runScript(folder, 'generate');
}

/** Copies the project, and builds it. */
export function buildProject(folder: string): void {
  copyProject(folder);
  runScript(folder, 'build');
}

export function runScript(folder: string, name: string): void {
  const options = { cwd: folder, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [`scripts/${name}.mjs`], options);
  if (status !== 0) throw new Error(stdout + stderr);
}

/** Writes files, by their paths from the folder. */
export function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}
