import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';

const SPECIFIER = /(from |import\(|declare module )'(\.{1,2}\/[^']*)'/g;

/**
 * Rewrites a module of this package for a project that depends on the package: imports of files
 * that the project does not have come from the package. `folder` is the module's folder,
 * `project` the root of the project.
 */
export function fromThePackage(text: string, folder: string, project: string): string {
  return text.replaceAll(SPECIFIER, (found, before: string, specifier: string) => {
    const target = join(folder, specifier);
    const source = target.replace(/\.js$/, '');
    if (relative(join(project, 'src'), target).startsWith('generated')) return found;
    if ([target, `${source}.ts`].some((file) => existsSync(file))) return found;
    // A project augments the types of handlers, which takes the very module that declares them.
    return `${before}'koa-cluster-metrics${target.endsWith('/http/handler.js') ? '/handler' : ''}'`;
  });
}
