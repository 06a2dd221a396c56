import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import { Problem } from './http/problem.js';

/** The caller, as the token names it. */
export interface Caller {
  readonly shop: string;
}

/** The codes of errors of a token. Any other error is not the caller's fault, and a 500. */
const INVALID = [
  errors.JWTInvalid,
  errors.JWTExpired,
  errors.JWTClaimValidationFailed,
  errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JWKSNoMatchingKey,
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
];

interface Issuer {
  readonly issuer: string;
  readonly keys: string;
}

/**
 * Makes the check of a JSON Web Token: `undefined` for one that does not hold (401), a 403 for one that lacks a scope. The issuer's keys
 * are fetched when the first token comes, and kept.
 */
export function callers({ issuer, keys }: Issuer) {
  const keySet = createRemoteJWKSet(new URL(keys));
  return async (
    token: string,
    _ctx: unknown,
    { scopes }: { readonly scopes: readonly string[] },
  ): Promise<Caller | undefined> => {
    try {
      const { payload } = await jwtVerify(token, keySet, {
        issuer,
        audience: 'orders',
        requiredClaims: ['sub'],
      });
      const { sub = '', scope = '' } = payload;
      const granted = typeof scope === 'string' ? scope.split(' ') : [];
      const missing = scopes.filter((required) => !granted.includes(required));
      if (missing.length > 0) throw new Problem(403, `The token lacks ${missing.join(', ')}.`);
      return { shop: sub };
    } catch (error) {
      if (INVALID.some((kind) => error instanceof kind)) return undefined;
      throw error;
    }
  };
}
