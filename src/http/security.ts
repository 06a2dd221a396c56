import type { Socket } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { Context } from 'koa';
import type { Alternatives, Requirement, SecurityScheme } from '../openapi/operations/security.js';
import { type ServiceContext, serviceContext } from './handler.js';
import { METRICS_SCHEME } from './own-operations/metrics-token.js';
import { Problem, asProblem } from './problem.js';
import { queryOf } from './parameters/request-target.js';

/** Credentials of http basic (RFC 7617). */
export interface BasicCredentials {
  readonly username: string;
  readonly password: string;
}

type AnyCredentials = string | BasicCredentials | PeerCertificate;

/**
 * Returns the principal, who has these credentials and whom handlers get; `undefined`, `null` and `false` are
 * a 401. A 401 or 403 that it throws is the answer where no other alternative lets the request in; any other
 * Problem is the answer, and any other error a 500.
 * @param required the scopes that the operation requires of this scheme
 */
export type SecurityCheck<Credentials = AnyCredentials> = (
  credentials: Credentials,
  ctx: ServiceContext,
  required: { readonly scopes: readonly string[] },
) => unknown;

/** Checks by the name of their scheme. The declaration of a scheme decides on the type of its credentials. */
export type SecurityChecks = Readonly<Record<string, SecurityCheck<never>>>;

/**
 * Makes a function that lets a request in if one of the alternatives does; otherwise it throws the 403 of a
 * check, or else a 401 with a challenge for each accepted scheme. It resolves with the principal that the
 * scheme's check gave, with an object of principals by scheme where several schemes are required together, or
 * with `undefined` for an anonymous request. There is no function (`undefined`) where everybody is let in.
 */
export function gatekeeper(
  alternatives: Alternatives,
  checks: SecurityChecks,
): ((ctx: Context) => Promise<unknown>) | undefined {
  // The anonymous alternative is tried last: tried first, it would hide the principal
  // of a request with credentials.
  const known = alternatives.filter((requirements) => requirements.length > 0);
  if (known.length === 0) return undefined;
  const anonymous = known.length < alternatives.length;
  const challenges = [...new Set(known.flat().map(challengeOf))].join(', ');
  return async (ctx) => {
    const refusals: Problem[] = [];
    for (const requirements of known) {
      const principals = await principalsOf(ctx, requirements, checks).catch((thrown: unknown) => {
        refusals.push(refusalOf(thrown));
        return undefined;
      });
      if (principals) return principals.length === 1 ? principals[0]?.[1] : Object.fromEntries(principals);
    }
    if (anonymous) return undefined;
    const forbidden = refusals.find(({ status }) => status === 403);
    if (forbidden) throw forbidden;
    const [refusal] = refusals;
    throw new Problem(401, refusal?.detail ?? 'The request has no valid credentials for this operation.', {
      headers: { 'WWW-Authenticate': challenges, ...refusal?.headers },
      cause: refusal,
    });
  };
}

/**
 * Returns the 401 or 403 that a check has thrown. Throws anything else: no other alternative makes up for it.
 */
function refusalOf(thrown: unknown): Problem {
  const problem = asProblem(thrown);
  if (problem?.status === 401 || problem?.status === 403) return problem;
  throw thrown;
}

/** Returns the principal of each scheme; `undefined` where one of the requirements is not met. */
async function principalsOf(
  ctx: Context,
  requirements: readonly Requirement[],
  checks: SecurityChecks,
): Promise<[scheme: string, principal: unknown][] | undefined> {
  const principals: [string, unknown][] = [];
  for (const { scheme, scopes } of requirements) {
    const credentials = credentialsOf(ctx, scheme);
    if (credentials === undefined) return undefined;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `routesOf` has checked it
    const check = checks[scheme.name] as SecurityCheck;
    const principal = await check(credentials, serviceContext(ctx), { scopes });
    if (principal === undefined || principal === null || principal === false) return undefined;
    principals.push([scheme.name, principal]);
  }
  return principals;
}

function credentialsOf(ctx: Context, scheme: SecurityScheme): AnyCredentials | undefined {
  switch (scheme.in) {
    case 'header':
      return textOf(ctx.req.headers[scheme.field.toLowerCase()]);
    case 'query': {
      const values = new URLSearchParams(queryOf(ctx.req.url ?? '')).getAll(scheme.field);
      return values.length === 1 ? textOf(values[0]) : undefined;
    }
    case 'cookie':
      return textOf(ctx.cookies.get(scheme.field, { signed: false }));
    case 'connection':
      return certificateOf(ctx.req.socket);
    default:
      return authorizationOf(ctx.req.headers.authorization ?? '', scheme.field);
  }
}

/**
 * Returns the certificate of a client that TLS_CLIENT_CA has verified. Node also calls a connection
 * authorized that resumes a session which was begun without a certificate.
 */
function certificateOf(socket: Socket | TLSSocket): PeerCertificate | undefined {
  if (!('authorized' in socket) || !socket.authorized) return undefined;
  const certificate = socket.getPeerCertificate();
  return 'raw' in certificate ? certificate : undefined;
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

/**
 * Splits at the first colon: a user name has none, a password can (RFC 7617 section 2).
 * `undefined` if there is none.
 */
function basicCredentials(encoded: string): BasicCredentials | undefined {
  const decoded = Buffer.from(encoded, 'base64').toString();
  const colon = decoded.indexOf(':');
  if (colon < 0 || !/^[\w+/-]+=*$/.test(encoded)) return undefined;
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

/** Writes a challenge of `WWW-Authenticate` (RFC 9110 section 11.6.1). */
function challengeOf({ scheme, scopes }: Requirement): string {
  const { in: location, field, name } = scheme;
  const realm = `realm=${quoted(name === METRICS_SCHEME ? 'metrics' : name)}`;
  if (location === 'connection') return `ClientCertificate ${realm}`;
  if (location !== 'authorization') return `ApiKey ${realm}, in=${quoted(location)}, name=${quoted(field)}`;
  if (field === 'basic') return `Basic ${realm}, charset="UTF-8"`;
  const scope = field === 'bearer' && scopes.length > 0 ? `, scope=${quoted(scopes.join(' '))}` : '';
  return `${field[0]?.toUpperCase()}${field.slice(1)} ${realm}${scope}`;
}

/** Writes a quoted-string, without the characters that can't be in a header. */
function quoted(text: string): string {
  return `"${text.replaceAll(/[^\x20-\x7e]/g, '').replaceAll(/["\\]/g, '\\$&')}"`;
}
