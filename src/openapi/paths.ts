import type { Place } from './description.js';
import { textsOf } from './path-text.js';

/**
 * A path template that can be served: its parameters are whole segments, or parts
 * of one with text between them.
 */
export function checkPath(path: string, place: Place): void {
  if (!path.startsWith('/')) place.fail('a path must start with "/"');
  if (/[?#]/.test(path)) place.fail('a path can not have a query or a fragment');
  for (const segment of path.split('/')) {
    const rest = segment.replaceAll(/\{[^{}]+\}/g, '');
    if (/[{}]/.test(rest)) place.fail(`"${segment}" has a brace without its other half`);
    if (segment.includes('}{')) place.fail(`"${segment}" does not say where one parameter ends`);
  }
  const names = namesIn(path);
  if (new Set(names).size < names.length) place.fail('has the same parameter twice');
}

/** Returns the names of a template's parameters, in their order. */
export function namesIn(path: string): string[] {
  return [...path.matchAll(/\{([^{}]+)\}/g)].map(([, name]) => name ?? '');
}

/**
 * Two templates that differ in nothing but names, or in what is encoded, match the same paths (OpenAPI 3.1 section
 * 4.8.8.1).
 */
export function checkEqualPaths(
  routes: readonly { readonly route: string; readonly path: string; readonly place: Place }[],
): void {
  const known = new Map<string, string>();
  for (const { route, path, place } of routes) {
    const plain = textsOf(route).join('{}');
    const other = known.get(plain);
    if (other !== undefined && other !== path)
      place.description.attempt(() => place.fail(`matches the same paths as ${other}`));
    known.set(plain, path);
  }
}
