import { existsSync, realpathSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** The program that the workers run, and their folder. */
export interface Program {
  readonly exec: string;
  readonly cwd: string;
}

/**
 * Finds the program and the folder of this process by the paths that it was started with, links not resolved: where a link is
 * switched to another release, the workers of a reload run that one.
 */
export function findProgram(): Program {
  // A program that is an ES module is no `require.main`.
  const main = require.main?.filename ?? process.argv[1] ?? '';
  // The system knows the current folder without links only; whoever started this process may have named it.
  const cwd = [process.env['PWD'], process.env['pm_cwd']].find(leadsTo(process.cwd())) ?? process.cwd();
  // Under PM2 argv is PM2's own, whose wrapper each worker would run again.
  const started = [process.argv[1], process.env['pm_exec_path']].find(leadsTo(main)) ?? main;
  // Node has made a relative path absolute by the folder without links.
  const below = relative(process.cwd(), started);
  return { exec: below.startsWith('..') ? started : join(cwd, below), cwd };
}

/** What tells this program from others: it, and what it was told to run, as `start app.js`. */
export function programIdentity({ exec, cwd }: Program): readonly string[] {
  const words = process.argv.slice(2).map((word) => {
    const file = resolve(cwd, word);
    return existsSync(file) ? file : word;
  });
  return [exec, ...words];
}

/** A folder to fork in. That of a release that was left behind may have been removed, and no process can start there. */
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
