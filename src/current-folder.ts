import { realpathSync } from 'node:fs';

/**
 * The current folder as this process was started in it, without resolving links: where a link is switched to
 * another release, paths below it lead to that one.
 */
export const currentFolder = find();

function find(): string {
  const resolved = process.cwd();
  // The system tells the current folder with links resolved. The shell or PM2 may have
  // passed on the path with links.
  return [process.env['PWD'], process.env['pm_cwd']].find((path) => leadsTo(resolved, path)) ?? resolved;
}

function leadsTo(target: string, path: string | undefined): boolean {
  try {
    return path !== undefined && realpathSync(path) === target;
  } catch {
    return false;
  }
}
