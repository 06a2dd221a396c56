import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { appOf, type ForeignApp } from '../foreign/foreign-app.js';
import { ServiceError } from '../http/define-service.js';
import { serve } from '../main.js';
import { errorOf, lineOf } from '../thrown.js';
import type { CommandInput } from './command.js';
import { CommandError } from './command-error.js';

/**
 * Runs the app that a module exports, as its default or as `module.exports`. The primary does not load it.
 */
export async function start({ words, options: { port } }: CommandInput): Promise<void> {
  const [file] = words;
  if (file === undefined) throw new CommandError('start wants the file of a module that exports an app.');
  const path = find(file);
  if (port !== undefined) process.env['PORT'] = port;
  await serve(() => load(path, file));
}

/**
 * Finds a module as `node FILE` does: a folder by its `main` or its `index.js`, a file also without its
 * extension.
 */
function find(file: string): string {
  try {
    return require.resolve(resolve(file));
  } catch {
    throw new CommandError(`There is no module ${file}: start wants the file of one that exports an app.`);
  }
}

/** Loads the app of a module: CommonJS, an ES module, or TypeScript where Node strips types. */
async function load(path: string, file: string): Promise<ForeignApp> {
  try {
    const loaded: unknown = await import(pathToFileURL(path).href);
    return await appOf(loaded, undefined, `The export of ${file}`);
  } catch (cause) {
    if (cause instanceof ServiceError) throw cause;
    throw new ServiceError(`${errorOf(cause).stack}\n${file} could not be loaded: ${lineOf(cause)}`, {
      cause,
    });
  }
}
