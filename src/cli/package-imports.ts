import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';

/** The folder of the package's pages in a project that depends on the package. */
export const PACKAGE_DOCS = 'node_modules/koa-cluster-metrics/docs';

const SPECIFIER = /(from |import\(|declare module )'(\.{1,2}\/[^']*)'/g;

/**
 * Modules that the package exports beside its main one. A project augments the types of handlers,
 * which takes the very module.
 */
const ENTRIES = [
  ['/http/handler.js', '/handler'],
  ['/testing.js', '/testing'],
  ['/serverless/platform.js', '/serverless'],
] as const;

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
    return `${before}'koa-cluster-metrics${ENTRIES.find(([end]) => target.endsWith(end))?.[1] ?? ''}'`;
  });
}
