import { normalPath } from '../../openapi/operations/paths.js';
import { pointerStep } from '../../openapi/pointer.js';
import { Problem } from '../problem.js';

/** Returns the path of a request target, still encoded; the target itself if it is not valid. */
export function pathOf(target: string): string {
  return partsOf(target)[0];
}

/**
 * Returns a request target as a path in the normal form and a query. Without its host and fragment all that
 * read it find the same path in it. Throws a 400 if the target is not valid.
 */
export function normalTarget(target: string): string {
  const [path, query] = partsOf(target);
  if (!path.startsWith('/') && target !== '*')
    throw new Problem(400, 'The request target is neither a path nor a URL of this service.');
  return normalPath(path) + query;
}

/** Returns the query of a request target, still encoded; empty if it has none. */
export function queryOf(target: string): string {
  return partsOf(target)[1].slice(1);
}

/** Splits a request target before the question mark of its query. */
function partsOf(target: string): [path: string, query: string] {
  const origin = originForm(target);
  const query = origin.indexOf('?');
  return query < 0 ? [origin, ''] : [origin.slice(0, query), origin.slice(query)];
}

/**
 * Removes the authority from a request target, which servers must accept (RFC 9112 section 3.2.2), and the
 * fragment, which belongs into none. `url.parse` would not do: it rewrites the path, and throws for some
 * authorities.
 */
function originForm(target: string): string {
  const hash = target.indexOf('#');
  const whole = hash < 0 ? target : target.slice(0, hash);
  if (whole.startsWith('/') || target === '*') return whole;
  const rest = /^https?:\/\/[^/?]+(.*)/is.exec(whole)?.[1];
  if (rest === undefined || !URL.canParse(target)) return target;
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

/** Undoes percent-encoding where it is valid; any other text stays as it is. */
export function decodedIfValid(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
