/**
 * Makes the regular expression of a `pattern`: with Unicode, as JSON Schema has it (2020-12 section
 * 6.4), or without where the pattern is legal only so, such as `[\w-.]` and `\-`. Throws a
 * SyntaxError for any other text.
 */
export function regExp(pattern: string): RegExp {
  try {
    return new RegExp(pattern, 'u');
  } catch {
    return new RegExp(pattern);
  }
}
