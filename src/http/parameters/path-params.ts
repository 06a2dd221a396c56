import { setOwn } from './own-property.js';
import { decodedIfValid } from './request-target.js';

type Params = Readonly<Record<string, string>>;

/** The field of a context with the texts of the path parameters by name, still encoded. */
export const encodedParams = Symbol('the path parameters as they came');

/**
 * Returns path parameters decoded, as @koa/router gives them in `ctx.params`: a middleware would not know
 * `a%2Fb`, which the handler gets as `a/b`. A text that can't be decoded stays as it is.
 */
export function decodedParams(encoded: Params): Params {
  const decoded: Record<string, string> = {};
  for (const [name, text] of Object.entries(encoded)) setOwn(decoded, name, decodedIfValid(text));
  return decoded;
}
