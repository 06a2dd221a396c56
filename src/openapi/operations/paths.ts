import type { Place } from '../description.js';

/**
 * A path template that can be served: its parameters are whole segments, or parts
 * of one with text between them.
 */
export function checkPath(path: string, place: Place): void {
  if (!path.startsWith('/')) place.fail('a path must start with "/"');
  if (/[?#]/.test(path)) place.fail('a path can not have a query or a fragment');
  for (const segment of path.split('/')) {
    const rest = segment.replaceAll(/\{[^{}]+\}/g, '');
    if (/[{}]/.test(rest)) place.fail(`"${segment}" has a brace without its other half`);
    if (segment.includes('}{')) place.fail(`"${segment}" does not say where one parameter ends`);
  }
  const names = namesIn(path);
  if (new Set(names).size < names.length) place.fail('has the same parameter twice');
}

/** Returns the names of a template's parameters, in their order. */
export function namesIn(path: string): string[] {
  return [...path.matchAll(/\{([^{}]+)\}/g)].map(([, name]) => name ?? '');
}

/**
 * Two templates that differ in nothing but names, or in what is encoded, match the same paths (OpenAPI 3.1
 * section 4.8.8.1).
 */
export function checkEqualPaths(
  routes: readonly { readonly route: string; readonly path: string; readonly place: Place }[],
): void {
  const known = new Map<string, string>();
  for (const { route, path, place } of routes) {
    const shape = shapeOf(route);
    const other = known.get(shape);
    if (other !== undefined && other !== path)
      place.description.attempt(() => place.fail(`matches the same paths as ${other}`));
    known.set(shape, path);
  }
}

/**
 * Returns a template without the names of its parameters: those of two that match the same paths are equal.
 */
export function shapeOf(template: string): string {
  return textsOf(template).join('{}');
}

/** Returns the texts before, between and behind a template's parameters, in the normal form of a path. */
export function textsOf(template: string): string[] {
  return template.split(/\{[^{}]+\}/).map((text) => withNormalOctets(percentEncoded(text)));
}

/** Encodes what is not encoded yet. */
function percentEncoded(text: string): string {
  return encodeURI(text).replaceAll('%25', '%');
}

/**
 * Returns a path in the form in which all that mean the same (RFC 3986 section 6.2.2) are equal: `/%7euser`
 * and `/~user` are `/~user`.
 */
export function normalPath(path: string): string {
  return withNormalOctets(UNENCODED.test(path) ? percentEncoded(path) : path);
}

/**
 * Characters that belong into no path (RFC 3986 section 3.3); browsers leave some of them unencoded, curl
 * all.
 */
const UNENCODED = /["<>[\]\\^`{|}]/;
const ENCODED = /%[0-9a-f]{2}/gi;
/** A percent sign that encodes nothing. */
const BARE = /%(?![0-9a-f]{2})/i;
/** A character that needs no encoding (RFC 3986 section 2.3). */
const UNRESERVED = /[\w.~-]/;

/**
 * Undoes and unifies encodings. A text with a bare percent sign stays as it is: with what is decoded behind
 * it the sign would encode something.
 */
function withNormalOctets(text: string): string {
  if (!text.includes('%') || BARE.test(text)) return text;
  return text.replaceAll(ENCODED, (encoded) => {
    const character = String.fromCharCode(octetOf(encoded));
    return UNRESERVED.test(character) ? character : encoded.toUpperCase();
  });
}

/**
 * Returns a text in the normal form with one character for each octet: one that is encoded, such as a slash,
 * becomes a character of a private use, which no request has.
 */
export function octetsOf(text: string): string {
  if (!text.includes('%')) return text;
  return text.replaceAll(ENCODED, (encoded) => String.fromCharCode(0xe000 + octetOf(encoded)));
}

function octetOf(encoded: string): number {
  return Number.parseInt(encoded.slice(1), 16);
}

/**
 * Makes a function that finds the place in a text of a place in its octets. It must be asked for places in
 * their order.
 */
export function placesIn(text: string, octets: string): (place: number) => number {
  let at = 0;
  let passed = 0;
  return (place) => {
    for (; passed < place; passed += 1) at += text[at] === octets[passed] ? 1 : '%00'.length;
    return at;
  };
}
