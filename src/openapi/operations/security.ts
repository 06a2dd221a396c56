import type { Place } from '../description.js';

/** A way to authenticate that the description names. */
export interface SecurityScheme {
  readonly name: string;
  /**
   * The place of an apiKey's credential. A client certificate belongs to the `connection`; other schemes use
   * the `Authorization` header.
   */
  readonly in: 'header' | 'query' | 'cookie' | 'connection' | 'authorization';
  /** The name of an apiKey's field; for other schemes, the authentication scheme in lower case. */
  readonly field: string;
}

/** A scheme that a request must satisfy, with the required scopes. */
export interface Requirement {
  readonly scheme: SecurityScheme;
  readonly scopes: readonly string[];
}

/**
 * A request must satisfy all requirements of one alternative. An alternative without
 * requirements lets everybody in.
 */
export type Alternatives = readonly (readonly Requirement[])[];

/**
 * Returns the security of an operation: its own, or else that of the whole description. Empty where everybody
 * is let in. Throws ContractError for a scheme that is not declared or not supported.
 */
export function securityOf(operation: Place): Alternatives {
  const { root } = operation.description;
  const own = operation.at('security');
  const security = own.value === undefined ? root.at('security') : own;
  const schemes = root.at('components').at('securitySchemes');
  return security.entries().map(([, alternative]) =>
    alternative.entries().map(([name, scopes]) => ({
      scheme: schemeOf(name, schemes.at(name), scopes),
      scopes: scopes.entries().map(([, scope]) => scope.string() ?? scope.fail('must be a scope')),
    })),
  );
}

function schemeOf(name: string, declared: Place, used: Place): SecurityScheme {
  if (declared.value === undefined) used.fail(`"${name}" is no scheme of components/securitySchemes`);
  const type = declared.at('type').string();
  switch (type) {
    case 'apiKey': {
      const location = declared.at('in').string();
      const field = declared.at('name').string() ?? declared.fail('an apiKey must have a name');
      if (location !== 'header' && location !== 'query' && location !== 'cookie')
        return declared.at('in').fail('an apiKey must be in header, query or cookie');
      return { name, in: location, field };
    }
    case 'http': {
      const field = declared.at('scheme').string()?.toLowerCase();
      return { name, in: 'authorization', field: field ?? declared.fail('must have a scheme') };
    }
    case 'oauth2':
    case 'openIdConnect':
      return { name, in: 'authorization', field: 'bearer' };
    case 'mutualTLS':
      return { name, in: 'connection', field: 'clientCertificate' };
    default:
      return declared.fail(`security of type "${type ?? ''}" is not supported`);
  }
}
