import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';

const SPECIFIER = /(from |import\(|declare module )'(\.{1,2}\/[^']*)'/g;

/**
 * The text of a module of this package for a project that has the package as its dependency: what it imports of its neighbours and is not
 * in the project comes from the package. `folder` is the one that the module lies in, `project` the root.
 */
export function fromThePackage(text: string, folder: string, project: string): string {
  return text.replaceAll(SPECIFIER, (found, before: string, specifier: string) => {
    const target = join(folder, specifier);
    const source = target.replace(/\.js$/, '');
    if (relative(join(project, 'src'), target).startsWith('generated')) return found;
    if ([target, `${source}.ts`].some((file) => existsSync(file))) return found;
    // What handlers are given can be added to, and that takes the module in which it is declared.
    return `${before}'koa-cluster-metrics${target.endsWith('/http/handler.js') ? '/handler' : ''}'`;
  });
}
