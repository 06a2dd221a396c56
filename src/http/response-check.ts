import { Readable } from 'node:stream';
import type { Context } from 'koa';
import { parseMediaType } from '../openapi/media-type.js';
import type { DeclaredResponse, DeclaredResponses } from '../openapi/responses.js';
import type { Validator } from '../openapi/validation.js';
import type { Problem } from './problem.js';

/** Each throws an error that names the operation if an answer is not what the description declares. */
export interface ResponseCheck {
  /** Of the answer in `ctx`. */
  answer(ctx: Context): void;
  /** Of one that the handler threw. */
  problem(problem: Problem): void;
}

/** Makes the check of the answers of one operation: status, media type, required headers, and content. */
export function responseCheck(id: string, declared: DeclaredResponses): ResponseCheck {
  const mismatch = (status: number, reason: string, cause?: Problem) =>
    new Error(`Operation "${id}" answers ${status} but ${reason}`, { cause });
  const find = (status: number, cause?: Problem) => {
    const found =
      declared.get(String(status)) ?? declared.get(`${String(status)[0]}XX`) ?? declared.get('default');
    if (!found) throw mismatch(status, 'its description has no such status', cause);
    return found;
  };
  return {
    answer(ctx) {
      const reason = disagreement(find(ctx.status), ctx);
      if (reason) throw mismatch(ctx.status, reason);
    },
    problem(problem) {
      find(problem.status, problem);
    },
  };
}

function disagreement(response: DeclaredResponse, ctx: Context): string | undefined {
  const missing = response.headers.find((name) => !ctx.res.hasHeader(name));
  if (missing) return `without the header ${missing}`;
  // Koa's redirect brings a note for people.
  if (response.contents.size === 0 && ctx.status >= 300) return undefined;
  const isEmpty = ctx.body === null || ctx.body === undefined;
  if (response.contents.size === 0) return isEmpty ? undefined : 'its description has no content for it';
  const type = ctx.response.get('Content-Type');
  const validate = validatorFor(response, type);
  if (!validate) return `with the type "${type}" that its description has not`;
  const [complaint] = (isStream(ctx.body) ? undefined : validate(valueOf(ctx))) ?? [];
  return complaint && `"${complaint.path}" of the body ${complaint.message}`;
}

function validatorFor({ contents }: DeclaredResponse, header: string): Validator | undefined {
  const essence = parseMediaType(header)?.essence ?? '';
  return contents.get(essence) ?? contents.get(`${essence.split('/')[0]}/*`) ?? contents.get('*/*');
}

/** A stream is sent as it comes: only its type is checked. */
function isStream(body: unknown): boolean {
  return body instanceof Readable;
}

/** The value that the client will read out of the body. */
function valueOf(ctx: Context): unknown {
  const text =
    typeof ctx.body === 'string' || Buffer.isBuffer(ctx.body) ? String(ctx.body) : JSON.stringify(ctx.body);
  return /[/+]json\b/.test(ctx.response.get('Content-Type')) ? JSON.parse(text) : text;
}
