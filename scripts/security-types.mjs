const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

/**
 * The types of a description's security, as TypeScript: the credentials that each scheme brings, and the schemes of each operation's
 * alternatives.
 * @param {any} document
 */
export function securityTypes(document) {
  const schemes = Object.entries(document.components?.securitySchemes ?? {});
  const credentials = schemes.map(
    ([name, scheme]) => `  readonly ${JSON.stringify(name)}: ${credentialsOf(resolved(scheme, document))};\n`,
  );
  const operations = Object.values(document.paths ?? {})
    .map((item) => resolved(item, document))
    .flatMap((item) => METHODS.flatMap((method) => item[method] ?? []))
    .filter(({ operationId }) => operationId !== undefined)
    .map((operation) => [operation.operationId, operation.security ?? document.security ?? []])
    .filter(([, security]) => security.length > 0)
    .map(([id, security]) => `  readonly ${JSON.stringify(id)}: ${security.map(tuple).join(' | ')};\n`);
  return `// Generated from the API description.

/** What a client brings for each scheme. */
export interface SchemeCredentials {
${credentials.join('')}}

/** The schemes of each alternative of an operation's security. */
export interface OperationSecurity {
${operations.join('')}}
`;
}

function tuple(alternative) {
  return `readonly [${Object.keys(alternative)
    .map((name) => JSON.stringify(name))
    .join(', ')}]`;
}

function credentialsOf({ type, scheme }) {
  return type === 'http' && scheme?.toLowerCase() === 'basic'
    ? '{ readonly username: string; readonly password: string }'
    : 'string';
}

function resolved(value, document) {
  if (typeof value?.$ref !== 'string' || !value.$ref.startsWith('#/')) return value;
  const found = value.$ref
    .slice(2)
    .split('/')
    .reduce(
      (node, key) => node?.[decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~')],
      document,
    );
  return resolved(found, document);
}
