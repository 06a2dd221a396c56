import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ForeignApp } from '../foreign/foreign-app.js';
import { serve } from '../main.js';
import type { CommandInput } from './command.js';
import { CommandError } from './command-error.js';

/**
 * Runs the app that a module exports, as its default or as `module.exports`. The primary does not load it.
 */
export async function start({ words, options: { port } }: CommandInput): Promise<void> {
  const [file, ...rest] = words;
  if (file === undefined || rest.length > 0)
    throw new CommandError('start wants the file of a module that exports an app.');
  const path = resolve(file);
  if (!existsSync(path)) throw new CommandError(`There is no file ${file}.`);
  if (port !== undefined) process.env['PORT'] = port;
  await serve(() => load(path));
}

/** Loads a module: CommonJS, an ES module, or TypeScript where Node strips types. */
async function load(path: string): Promise<ForeignApp> {
  const loaded: ForeignApp = await import(pathToFileURL(path).href); // `serve` checks what it exports
  return loaded;
}
