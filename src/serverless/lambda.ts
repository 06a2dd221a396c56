import type { IncomingMessage } from 'node:http';
import type Koa from 'koa';
import serverless from 'serverless-http';
import { type LambdaResponse, answering, joinLists } from './lambda-response.js';

/** The used part of an event from API Gateway (payload 1.0 and 2.0), a function URL or an ALB. */
interface LambdaEvent {
  readonly requestContext?: { readonly elb?: unknown; readonly http?: unknown; readonly stage?: string };
  readonly httpMethod?: string;
  readonly path?: string;
  readonly version?: string;
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[]>> | null;
  readonly queryStringParameters?: Readonly<Record<string, string>> | null;
  readonly multiValueQueryStringParameters?: Readonly<Record<string, readonly string[]>> | null;
  /** The query of an ALB as the client sent it. serverless-http decodes the two above. */
  readonly rawQuery?: string | undefined;
  /** The path template that a REST API has matched, such as `/{proxy+}`. */
  readonly resource?: string;
  /** The method and path template that an HTTP API has matched; `$default` for a path that is not listed. */
  readonly routeKey?: string;
  readonly pathParameters?: Readonly<Record<string, string>> | null;
}

export type LambdaHandler = (event: object, context: object) => Promise<object>;

/** Makes an AWS Lambda handler for the app. It rejects for an event that is no HTTP request. */
export function lambdaHandler(app: Koa): LambdaHandler {
  const listener = app.callback();
  const answer: LambdaHandler = serverless(
    answering((req, res) => void listener(req, res)),
    {
      request: (req: IncomingMessage, event: LambdaEvent) => {
        req.url = withoutBasePath(originForm(withQuery(req.url ?? '/', event), event), event);
        joinRepeated(req, event);
      },
      response: (res: LambdaResponse, event: LambdaEvent) => {
        joinLists(res);
        if (event.requestContext?.elb && !event.multiValueHeaders) spellCookiesApart(res);
      },
      binary: isBinary,
    },
  );
  return async (event, context) => {
    if (!isRequest(event)) throw new Error(NO_REQUEST);
    return answer({ ...event, rawQuery: rawQuery(event) }, context);
  };
}

const NO_REQUEST = 'The event is no HTTP request of API Gateway, a function URL or an ALB';

/**
 * Tells whether an event is a request. serverless-http takes any other for `GET /`: a queue, whose message
 * nobody has handled, would be told that it was.
 */
function isRequest(event: LambdaEvent | null): event is LambdaEvent {
  const { httpMethod, path, requestContext, version } = event ?? {};
  if (requestContext?.http !== undefined) return true;
  return version !== '2.0' && (httpMethod !== undefined || path !== undefined);
}

/** Returns the query of an ALB, which gives names and values as the client sent them. */
function rawQuery(event: LambdaEvent): string | undefined {
  if (!event.requestContext?.elb) return undefined;
  const fields = Object.entries(event.multiValueQueryStringParameters ?? event.queryStringParameters ?? {});
  return fields.flatMap(([name, values]) => [values].flat().map((value) => `${name}=${value}`)).join('&');
}

/**
 * Returns the target with the query as the client sent it. REST APIs give it decoded, and serverless-http
 * encodes it again, commas too: a list would be one item.
 */
function withQuery(url: string, { version, rawQuery: raw }: LambdaEvent): string {
  const [path = ''] = url.split('?', 1);
  if (raw !== undefined) return raw === '' ? path : `${path}?${raw}`;
  return version === '2.0' ? url : path + url.slice(path.length).replaceAll('%2C', ',');
}

/**
 * Returns the request target as the client sent it (RFC 9112, 3.2.1). HTTP APIs decode the path, the
 * other gateways do not, and no field tells which. So characters that cannot stand in a target are
 * encoded, which leaves an undecoded one as it is. HTTP APIs put the stage in front of the path,
 * unless it is the default one.
 */
function originForm(url: string, { version, requestContext }: LambdaEvent): string {
  // Half a surrogate pair, which JSON can have, would throw; as UTF-8 it becomes U+FFFD.
  const wellFormed = Buffer.from(url).toString();
  const encoded = wellFormed.replace(/[^\w\-.~:/?[\]@!$&'()*+,;=%]|%(?![\dA-Fa-f]{2})/gu, encodeURIComponent);
  const stage = `/${requestContext?.stage ?? ''}`;
  if (version !== '2.0' || stage === '/' || !`${encoded}/`.replace('?', '/').startsWith(`${stage}/`))
    return encoded;
  const rest = encoded.slice(stage.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/**
 * Removes the base path that a custom domain maps to the API from the request target. Gateways leave it in
 * the path, and no field names it; but they tell the template that they have matched, and its parameters.
 */
function withoutBasePath(url: string, { resource, routeKey = '', pathParameters }: LambdaEvent): string {
  const template = resource ?? /^\S+ (\/.*)$/.exec(routeKey)?.[1];
  const [path = ''] = url.split('?', 1);
  const query = url.slice(path.length);
  if (template === undefined) return url;
  if (template === '/') return `/${query}`;
  const matched = template.replace(/\{([^{}+]+)\+?\}/g, (_, name: string) => pathParameters?.[name] ?? '');
  const slash = path.endsWith('/') && !matched.endsWith('/') ? '/' : '';
  const segments = path.slice(0, path.length - slash.length).split('/');
  const rest = `/${segments.slice(1 - matched.split('/').length).join('/')}`;
  return decoded(rest) === decoded(matched) ? `${rest}${slash}${query}` : url;
}

/** Decodes a path for a comparison: some gateways decode the parameters, and some do not. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Joins the values of headers that were sent more than once; serverless-http keeps the last one. */
function joinRepeated({ headers }: IncomingMessage, { multiValueHeaders }: LambdaEvent): void {
  for (const [field, values] of Object.entries(multiValueHeaders ?? {})) {
    const name = field.toLowerCase();
    if (values.length > 1) headers[name] = values.join(name === 'cookie' ? '; ' : ', ');
  }
}

/**
 * Spells the name of each Set-Cookie header in another mix of cases. An ALB without multi-value headers
 * takes one value per name: it tells such names apart, and the client does not (RFC 9110, 5.1). Without this
 * only one cookie would arrive.
 */
function spellCookiesApart(res: LambdaResponse): void {
  const cookies = res.getHeader('set-cookie');
  if (!Array.isArray(cookies)) return;
  cookies.forEach((cookie, i) => {
    const spelling = (letter: string, at: number) => ((i >> at) & 1 ? letter.toUpperCase() : letter);
    res.headers['set-cookie'.split('').map(spelling).join('')] = cookie;
  });
}

/** Tells whether a body must be sent as base64: it must unless it is known to be text in UTF-8. */
function isBinary(headers: Record<string, string | undefined>): boolean {
  const type = headers['content-type'] ?? 'text/plain';
  if (headers['content-encoding'] !== undefined || /charset="?(?!utf-?8\b|us-ascii\b)/i.test(type))
    return true;
  return !/^text\/|[/+](?:json|yaml|xml|javascript)\b/.test(type);
}
