import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandInput } from './command.js';

/** Builds the project in the current folder. */
export function build({ options }: CommandInput): Promise<void> {
  return run('build.mjs', options.ifNeeded ? ['--if-needed'] : []);
}

/** Writes what is made of the API description of the project in the current folder. */
export async function generate({ options }: CommandInput): Promise<void> {
  // npm runs this after an installation for production too.
  if (options.ifPossible && !existsSync(join(process.cwd(), 'node_modules/typescript'))) return;
  await run('generate.mjs', []);
}

/** Lists what is wrong with an API description, that of the project unless a file is named. */
export function check({ words }: CommandInput): Promise<void> {
  return run('check.mjs', words);
}

/** Writes a handler for each operation of the project that has none. */
export function scaffold(): Promise<void> {
  return run('scaffold.mjs', []);
}

/** Runs the project in the current folder, again after each change. */
export function dev(): Promise<void> {
  return run('dev.mjs', []);
}

/** Runs a script of the package. The compiler, and what else of development tools it needs, is the project's. */
async function run(script: string, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [join(__dirname, '../../scripts', script), ...args], {
    stdio: 'inherit',
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const [code]: unknown[] = await once(child, 'exit');
  // The script has said what is wrong.
  if (code !== 0) process.exit(typeof code === 'number' ? code : 1);
}
