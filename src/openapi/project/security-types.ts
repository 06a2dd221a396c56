import type { Checked } from '../compile-description.js';
import type { Place } from '../description.js';
import { securityOf } from '../operations/security.js';

/**
 * Writes the TypeScript types of a description's security: the credentials that a client sends for each
 * scheme, and the schemes of each alternative of an operation.
 */
export function securityTypes({
  description,
  operations,
}: Pick<Checked, 'description' | 'operations'>): string {
  const schemes = description.root.at('components').at('securitySchemes').entries();
  const credentials = schemes.map(
    ([name, scheme]) => `  readonly ${JSON.stringify(name)}: ${credentialsType(scheme)};\n`,
  );
  const secured = operations
    .map(({ id, place }) => [id, securityOf(place)] as const)
    .filter(([, alternatives]) => alternatives.length > 0)
    .map(([id, alternatives]) => {
      const tuples = alternatives.map(
        (all) => `readonly [${all.map(({ scheme }) => JSON.stringify(scheme.name)).join(', ')}]`,
      );
      return `  readonly ${JSON.stringify(id)}: ${tuples.join(' | ')};\n`;
    });
  return `// Generated from the API description.

/** The credentials that a client sends for each scheme. */
export interface SchemeCredentials {
${credentials.join('')}}

/** The schemes of each alternative of an operation's security. */
export interface OperationSecurity {
${secured.join('')}}
`;
}

function credentialsType(scheme: Place): string {
  const type = scheme.at('type').value;
  if (type === 'mutualTLS') return "import('node:tls').PeerCertificate";
  const isBasic = type === 'http' && scheme.at('scheme').string()?.toLowerCase() === 'basic';
  return isBasic ? '{ readonly username: string; readonly password: string }' : 'string';
}

/** Returns the names of the schemes that operations declare. Each needs a function of the service. */
export function declaredSchemes({ operations }: Pick<Checked, 'operations'>): string[] {
  const names = operations.flatMap(({ place }) =>
    securityOf(place)
      .flat()
      .map(({ scheme }) => scheme.name),
  );
  return [...new Set(names)];
}
