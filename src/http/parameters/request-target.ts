import { normalPath } from '../../openapi/operations/paths.js';
import { pointerStep } from '../../openapi/pointer.js';
import { Problem } from '../problem.js';

/** Returns the path of a request target, still encoded. Throws a 400 if the target is not valid. */
export function pathOf(target: string): string {
  const origin = originForm(target);
  const query = origin.indexOf('?');
  return query < 0 ? origin : origin.slice(0, query);
}

/** Returns a request target with its path in the normal form. Throws a 400 if the target is not valid. */
export function normalTarget(target: string): string {
  const path = pathOf(target);
  const normal = normalPath(path);
  if (normal === path) return target;
  const query = target.indexOf('?');
  return query < 0 ? normal : normal + target.slice(query);
}

/** Returns the query of a request target, still encoded; empty if it has none. */
export function queryOf(target: string): string {
  const origin = originForm(target);
  const query = origin.indexOf('?');
  return query < 0 ? '' : origin.slice(query + 1).replace(/#.*/s, '');
}

/**
 * Removes the authority from a request target: servers must accept the absolute form (RFC 9112 section
 * 3.2.2). `url.parse` would not do: it rewrites the path, and throws for some authorities.
 */
function originForm(target: string): string {
  if (target.startsWith('/') || target === '*') return target;
  const rest = /^https?:\/\/[^/?#]+([^#]*)/i.exec(target)?.[1];
  if (rest === undefined || !URL.canParse(target))
    throw new Problem(400, 'The request target is neither a path nor a URL of this service.');
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/**
 * Undoes percent-encoding (RFC 3986 section 2.1). Throws a 400, which names the parameter or field, where it
 * is not valid.
 */
export function percentDecoded(text: string, location: 'path' | 'query' | 'body', name: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Problem(400, 'The request has an invalid percent-encoding.', {
      errors: [{ in: location, path: pointerStep(name), message: 'has a "%" that does not encode UTF-8' }],
    });
  }
}
