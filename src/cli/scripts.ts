import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandInput } from './command.js';
import { onEndOfNpm } from '../cluster/npm-parent.js';

/** Builds the project in the current folder. */
export function build({ options }: CommandInput): Promise<void> {
  return run('build.mjs', options.ifNeeded ? ['--if-needed'] : []);
}

/** Writes the files that are generated from the API description of the project in the current folder. */
export async function generate({ options }: CommandInput): Promise<void> {
  // npm runs this also after an installation for production, which has no compiler.
  if (options.ifPossible && !existsSync(join(process.cwd(), 'node_modules/typescript'))) return;
  await run('generate.mjs', []);
}

/** Lists the mistakes in an API description: the project's, unless a file is named. */
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

/** Runs a script of the package. It uses the compiler and other development tools of the project. */
async function run(script: string, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [join(__dirname, '../../scripts', script), ...args], {
    stdio: 'inherit',
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  onEndOfNpm(() => child.kill());
  const [code]: unknown[] = await once(child, 'exit');
  // The script has printed the reason.
  if (code !== 0) process.exit(typeof code === 'number' ? code : 1);
}
