import type { Place } from '../description.js';

/**
 * Returns the base paths of an operation, from its own `servers`, else from those of its path,
 * else from the description's.
 */
export function basePaths(operation: Place, item: Place, root: Place): string[] {
  const servers = [operation, item, root]
    .map((place) => place.at('servers').entries())
    .find((all) => all.length > 0);
  if (!servers) return [''];
  return [...new Set(servers.flatMap(([, server]) => basesOf(server)))];
}

/**
 * Returns the paths of a server's URL, one for each value of its variables. A relative URL is relative to the
 * description, which is served at the root.
 */
function basesOf(server: Place): string[] {
  const url = server.at('url').string() ?? server.fail('has no url');
  return expanded(url, server).map((each) => {
    const path = withoutHost(each).replace(/[?#].*$/s, '');
    if (/[{}]/.test(path)) return server.own('url').fail(`"${path}" has a variable that is not declared`);
    const { pathname } = new URL(path === '' ? '/' : path, 'http://localhost/');
    return decodeURI(pathname).replace(/\/+$/, '');
  });
}

function withoutHost(url: string): string {
  return url.replace(/^(?:[^/?#]*:)?\/\/[^/?#]*/, '');
}

/**
 * Lists a URL with each value of the variables that its path depends on. Their number is bounded by what
 * people write: without those of the host, which a list of regions and customers would multiply.
 */
function expanded(url: string, server: Place): string[] {
  const path = withoutHost(url);
  return server
    .at('variables')
    .entries()
    .reduce<string[]>(
      (urls, [name, variable]) => {
        const values = valuesOf(variable);
        const isInPath = path.includes(`{${name}}`);
        if (isInPath && values.length === 0) return variable.fail('has no default');
        if (!isInPath && !values.some((value) => value.includes('/'))) return urls;
        return urls.flatMap((each) => values.map((value) => each.replaceAll(`{${name}}`, () => value)));
      },
      [url],
    );
}

function valuesOf(variable: Place): string[] {
  const listed = variable
    .at('enum')
    .entries()
    .map(([, { value }]) => String(value));
  const { value } = variable.at('default');
  return [...new Set([...(typeof value === 'string' ? [value] : []), ...listed])];
}
