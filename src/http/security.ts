import type { Context } from 'koa';
import type { Alternatives, Requirement, SecurityScheme } from '../openapi/security.js';
import type { ServiceContext } from './handler.js';
import { METRICS_SCHEME } from './own-operations/metrics-token.js';
import { Problem } from './problem.js';
import { queryOf } from './parameters/request-target.js';

/** What a client brings for http basic (RFC 7617). */
export interface BasicCredentials {
  readonly username: string;
  readonly password: string;
}

/**
 * Says who the credentials are of: the principal, which handlers get; `undefined` is a 401. A Problem that it throws is the
 * answer, such as a 403; anything else that it throws is a 500.
 * @param required the scopes that the operation requires of this scheme
 */
export type SecurityCheck<Credentials = string | BasicCredentials> = (
  credentials: Credentials,
  ctx: ServiceContext,
  required: { readonly scopes: readonly string[] },
) => unknown;

/** By the name of the scheme. What credentials a scheme brings follows from its declaration. */
export type SecurityChecks = Readonly<Record<string, SecurityCheck<never>>>;

/**
 * Makes a function that lets a request in, or throws a 401 with a challenge for each scheme that would do. It gives the principal:
 * what the check of the scheme gave, an object of these by scheme where several are required together, `undefined` for an
 * anonymous request. `undefined` where there is nothing to check.
 */
export function gatekeeper(
  alternatives: Alternatives,
  checks: SecurityChecks,
): ((ctx: Context) => Promise<unknown>) | undefined {
  // Who can be anybody is let in last: somebody with credentials is to be known.
  const known = alternatives.filter((requirements) => requirements.length > 0);
  if (known.length === 0) return undefined;
  const anonymous = known.length < alternatives.length;
  const challenges = [...new Set(known.flat().map(challengeOf))].join(', ');
  return async (ctx) => {
    for (const requirements of known) {
      const principals = await principalsOf(ctx, requirements, checks);
      if (principals) return requirements.length === 1 ? Object.values(principals)[0] : principals;
    }
    if (anonymous) return undefined;
    throw new Problem(401, 'The request has no valid credentials for this operation.', {
      headers: { 'WWW-Authenticate': challenges },
    });
  };
}

/** `undefined` where one of the requirements is not met. */
async function principalsOf(
  ctx: Context,
  requirements: readonly Requirement[],
  checks: SecurityChecks,
): Promise<Record<string, unknown> | undefined> {
  const principals: Record<string, unknown> = {};
  for (const { scheme, scopes } of requirements) {
    const credentials = credentialsOf(ctx, scheme);
    if (credentials === undefined) return undefined;
    const check = checks[scheme.name] as SecurityCheck; // that there is one was checked at the start
    const principal = await check(credentials, ctx as ServiceContext, { scopes }); // the app's context is one
    if (principal === undefined) return undefined;
    principals[scheme.name] = principal;
  }
  return principals;
}

function credentialsOf(ctx: Context, scheme: SecurityScheme): string | BasicCredentials | undefined {
  switch (scheme.in) {
    case 'header':
      return textOf(ctx.req.headers[scheme.field.toLowerCase()]);
    case 'query': {
      const values = new URLSearchParams(queryOf(ctx.req.url ?? '')).getAll(scheme.field);
      return values.length === 1 ? textOf(values[0]) : undefined;
    }
    case 'cookie':
      return textOf(ctx.cookies.get(scheme.field, { signed: false }));
    default:
      return authorizationOf(ctx.req.headers.authorization ?? '', scheme.field);
  }
}

function textOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function authorizationOf(header: string, scheme: string): string | BasicCredentials | undefined {
  const space = header.indexOf(' ');
  if (space < 0 || header.slice(0, space).toLowerCase() !== scheme) return undefined;
  const credentials = header.slice(space + 1).trim();
  if (scheme === 'basic') return basicCredentials(credentials);
  if (scheme === 'bearer') return textOf(credentials);
  return header;
}

/** RFC 7617 section 2: a user name has no colon, a password can. */
function basicCredentials(encoded: string): BasicCredentials | undefined {
  const decoded = Buffer.from(encoded, 'base64').toString();
  const colon = decoded.indexOf(':');
  if (colon < 0 || !/^[\w+/-]+=*$/.test(encoded)) return undefined;
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

/** A challenge of `WWW-Authenticate` (RFC 9110 section 11.6.1). */
function challengeOf({ scheme, scopes }: Requirement): string {
  const { in: location, field, name } = scheme;
  const realm = `realm=${quoted(name === METRICS_SCHEME ? 'metrics' : name)}`;
  if (location !== 'authorization') return `ApiKey ${realm}, in=${quoted(location)}, name=${quoted(field)}`;
  if (field === 'basic') return `Basic ${realm}, charset="UTF-8"`;
  const scope = field === 'bearer' && scopes.length > 0 ? `, scope=${quoted(scopes.join(' '))}` : '';
  return `${field[0]?.toUpperCase()}${field.slice(1)} ${realm}${scope}`;
}

/** A quoted-string; what can't be in a header is left out. */
function quoted(text: string): string {
  return `"${text.replaceAll(/[^\x20-\x7e]/g, '').replaceAll(/["\\]/g, '\\$&')}"`;
}
