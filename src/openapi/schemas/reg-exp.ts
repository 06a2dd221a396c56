/**
 * The regular expression of a `pattern`: with Unicode, as JSON Schema has it (2020-12 section 6.4), or without where it is legal
 * only so, such as `[\w-.]` and `\-`. Throws a SyntaxError where it is none.
 */
export function regExp(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u');
  } catch {
    return new RegExp(pattern);
  }
}
