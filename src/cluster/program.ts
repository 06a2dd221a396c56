import { existsSync, realpathSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { currentFolder } from '../current-folder.js';

/** The program that the workers run, and their folder. */
export interface Program {
  readonly exec: string;
  readonly cwd: string;
}

/**
 * Finds the program and the folder of this process by the paths that it was started with, without resolving
 * links: when a link is switched to another release, the workers of a reload run that one.
 */
export function findProgram(): Program {
  // `require.main` is undefined for a program that is an ES module.
  const main = require.main?.filename ?? process.argv[1] ?? '';
  const cwd = currentFolder;
  // Under PM2 argv names PM2's wrapper, which each worker would run again.
  const started = [process.argv[1], process.env['pm_exec_path']].find(leadsTo(main)) ?? main;
  // Node resolves a relative path by the folder without links.
  const below = relative(process.cwd(), started);
  return { exec: below.startsWith('..') ? started : join(cwd, below), cwd };
}

/** Returns the words that tell this program from others: its file and its arguments, as in `start app.js`. */
export function programIdentity({ exec, cwd }: Program): readonly string[] {
  const words = process.argv.slice(2).map((word) => {
    const file = resolve(cwd, word);
    return existsSync(file) ? file : word;
  });
  return [exec, ...words];
}

/**
 * Returns the folder to fork in. No process can start in a removed folder, such as that of an old release.
 */
export function folderFor({ exec, cwd }: Program): string {
  return existsSync(cwd) ? cwd : dirname(exec);
}

function leadsTo(target: string): (path: string | undefined) => path is string {
  return (path): path is string => {
    try {
      // A program may be named without its extension, or by its folder.
      return path !== undefined && [realpathSync(path), require.resolve(path)].includes(target);
    } catch {
      return false;
    }
  };
}
