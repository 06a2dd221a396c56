/** The path of a route. */
export type RoutePath = string | RegExp | readonly (string | RegExp)[];

/** Writes the path of a route; undefined for anything else. */
export function templateOf(path: unknown): string | undefined {
  if (typeof path === 'string') return path;
  if (path instanceof RegExp) return String(path);
  return Array.isArray(path) ? path.map(String).join('|') : undefined;
}

/** Writes the path of a route below where its router is mounted. */
export function joined(mount: string, template: string): string {
  return mount !== '' && template === '/' ? mount : mount + template;
}
