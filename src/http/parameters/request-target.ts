import { Problem } from '../problem.js';

/** The path of a request target, encoded as it came. Throws a 400 where the target is not valid. */
export function pathOf(target: string): string {
  const origin = originForm(target);
  const query = origin.indexOf('?');
  return query < 0 ? origin : origin.slice(0, query);
}

/** The query of a request target, encoded as it came; empty if it has none. */
export function queryOf(target: string): string {
  const origin = originForm(target);
  const query = origin.indexOf('?');
  return query < 0 ? '' : origin.slice(query + 1).replace(/#.*/s, '');
}

/**
 * A request target without its authority: servers must be ready for the absolute form (RFC 9112 section 3.2.2). Not
 * with `url.parse`, which rewrites a path, and throws at an authority that it does not like.
 */
function originForm(target: string): string {
  if (target.startsWith('/') || target.startsWith('*')) return target;
  const rest = /^https?:\/\/[^/?#]+([^#]*)/i.exec(target)?.[1];
  if (rest === undefined || !URL.canParse(target))
    throw new Problem(400, 'The request target is neither a path nor a URL of this service.');
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** Undoes percent-encoding (RFC 3986 section 2.1). Throws a 400 where it is not valid. */
export function percentDecoded(text: string, location: 'path' | 'query' | 'body', pointer = ''): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Problem(400, 'The request has an invalid percent-encoding.', {
      errors: [{ in: location, path: pointer, message: 'has a "%" that does not encode UTF-8' }],
    });
  }
}
