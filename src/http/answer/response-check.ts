import type { Context } from 'koa';
import type { Logger } from '../../log.js';
import { findByType, isJson, parseMediaType } from '../../openapi/media-type.js';
import type { Operation } from '../../openapi/operations/operation.js';
import type { DeclaredResponse, DeclaredResponses } from '../../openapi/operations/responses.js';
import type { Validator } from '../../openapi/schemas/validation.js';
import { BodyProblem } from '../body/body-problem.js';
import { jsonValue } from './json-value.js';
import { asProblem } from '../problem.js';
import { isStream } from './respond.js';

/**
 * Milliseconds between two reports of an operation's contradictions, where answers are served all the same.
 */
const REPORT_EVERY_MS = 60_000;

export interface ResponseCheck {
  /** Checks a handler's result, which has become the answer in `ctx`. */
  answer(ctx: Context, value: unknown): void;
  /** Checks an error that a handler threw: a problem is an answer too. */
  thrown(thrown: unknown): void;
}

const atEnd = Symbol('the check of the headers that middleware may still set');

/**
 * Makes the check of the answers of one operation before they are written: status, media type, required
 * headers, which middleware may set too, and content. An answer that contradicts the description is an error
 * that names the operation, or is only reported to the log.
 */
export function responseCheck(
  { id, responses }: Operation,
  mode: 'on' | 'report',
  log: Logger,
): ResponseCheck {
  const complain = mode === 'on' ? refuse : reporter(log);
  const contentOf = rememberingContent();
  const check = (status: number, reason: string | undefined, cause?: unknown) => {
    if (reason !== undefined) complain(`Operation "${id}" answers ${status} but ${reason}`, cause);
  };
  return {
    answer(ctx, value) {
      const { req, res } = ctx;
      // A request that was refused while it arrived (408) has its answer.
      if (!req.complete && req.destroyed) return;
      if (value !== undefined && res.writableEnded) return complain(tooLate(id));
      const { statusCode } = res;
      // A generated handler answers 501 until it is written, which no description declares.
      if (statusCode === 501) return;
      const response = find(responses, statusCode);
      check(statusCode, response ? disagreement(response, contentOf(response, ctx), ctx, value) : UNDECLARED);
      if (response && missingHeader(response, ctx))
        ctx[atEnd] = () => res.statusCode === statusCode && check(statusCode, missingHeader(response, ctx));
    },
    thrown(thrown) {
      if (thrown instanceof BodyProblem) return;
      const problem = asProblem(thrown);
      if (problem && problem.status !== 501 && !find(responses, problem.status))
        check(problem.status, UNDECLARED, thrown);
    },
  };
}

/** Ends the check of an answer, when all middleware has ended. */
export function checkAtEnd(ctx: Context): void {
  const check: (() => void) | undefined = ctx[atEnd];
  check?.();
}

const tooLate = (id: string) =>
  `The answer of operation "${id}" came after another was sent: a middleware did not await next()`;

const UNDECLARED = 'its description has no such status';

function refuse(contradiction: string, cause?: unknown): void {
  throw new Error(contradiction, { cause });
}

function reporter(log: Logger): (contradiction: string) => void {
  let reported = -Infinity;
  return (contradiction) => {
    if (performance.now() - reported < REPORT_EVERY_MS) return;
    reported = performance.now();
    log.warn({ contradiction }, 'An answer contradicts the API description and is served all the same');
  };
}

function find(declared: DeclaredResponses, status: number): DeclaredResponse | undefined {
  const found = declared.get(String(status)) ?? declared.get(`${String(status)[0]}XX`);
  // An operation without declared responses may answer anything.
  return found ?? declared.get('default') ?? (declared.size === 0 ? ANYTHING : undefined);
}

const ANYTHING: DeclaredResponse = { contents: new Map([['*/*', () => undefined]]), headers: [] };

/** The way to check a content. */
interface Content {
  /** `undefined` where its type is not declared. */
  readonly validate: Validator | undefined;
  readonly isJson: boolean;
}

/**
 * Makes a function that finds the check of an answer's content. It remembers the latest: to parse the type of
 * each answer took a twentieth of a small request.
 */
function rememberingContent(): (response: DeclaredResponse, ctx: Context) => Content {
  let latest: { response: DeclaredResponse; header: unknown; content: Content } | undefined;
  return (response, ctx) => {
    const header = ctx.res.getHeader('Content-Type');
    if (latest?.response === response && latest.header === header) return latest.content;
    const { type } = ctx.response;
    const content = { validate: validatorFor(response, type, String(header)), isJson: isJson(type) };
    latest = { response, header, content };
    return content;
  };
}

function disagreement(
  response: DeclaredResponse,
  content: Content,
  ctx: Context,
  value: unknown,
): string | undefined {
  const isEmpty = ctx.body === null || ctx.body === undefined;
  if (isEmpty && ctx.method === 'HEAD') return undefined;
  // Koa's redirect has a short text for people, which no description declares.
  if (response.contents.size === 0)
    return isEmpty || ctx.status >= 300 ? undefined : 'its description has no content for it';
  const { validate } = content;
  if (!validate) return `with the type "${ctx.response.type}" that its description has not`;
  const [complaint] = (isStream(ctx.body) ? undefined : validate(valueOf(ctx.body, value, content))) ?? [];
  return complaint && `"${complaint.path}" of the body ${complaint.message}`;
}

function missingHeader({ headers }: DeclaredResponse, { res }: Context): string | undefined {
  const missing = headers.find((name) => !res.hasHeader(name));
  return missing && `without the header ${missing}`;
}

function validatorFor(
  { contents }: DeclaredResponse,
  essence: string,
  header: string,
): Validator | undefined {
  return findByType(contents, parseMediaType(header) ?? { essence, full: essence });
}

/**
 * Returns the value that the client will read from the body. Only a body that the handler
 * has encoded itself is parsed.
 */
function valueOf(set: unknown, returned: unknown, { isJson: json }: Content): unknown {
  if (returned === null) return null;
  const body = returned ?? set;
  const isEncoded = Buffer.isBuffer(body) || (returned === undefined && typeof body === 'string');
  if (isEncoded) return json ? JSON.parse(String(body)) : String(body);
  return json ? jsonValue(body) : body;
}
