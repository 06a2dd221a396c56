/** An element of an `Accept` header (RFC 9110, section 12.5): `type` in lower case, without spaces. */
interface Range {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** The weight, from 0, which is a refusal, to 1. */
  readonly weight: number;
}

/** A possible answer: its media type, and the parameters that tell it from others of that type. */
export interface Offer<T> {
  readonly value: T;
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Parameters that do not choose between offers, and are ignored. */
const IGNORED = new Set(['charset', 'escaping']);

const TOKEN = /^[!#$%&'*+.^`|~\w-]+$/;

/**
 * Returns the offer that `Accept` prefers. The first one wins a tie, and also where `Accept` allows none of
 * them or is missing: a client can do more with a type that it did not ask for than with a 406.
 */
export function preferred<T>(accept: string | undefined, offers: readonly [Offer<T>, ...Offer<T>[]]): T {
  const ranges = parseRanges(accept ?? '');
  let [best] = offers;
  for (const offer of offers) if (weightOf(offer, ranges) > weightOf(best, ranges)) best = offer;
  return best.value;
}

/** Tells whether `Accept-Encoding` allows gzip, by name or by `*`, and does not prefer `identity`. */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  const codings = parseRanges(acceptEncoding ?? '');
  const weightOfCoding = (...names: string[]) => codings.find(({ type }) => names.includes(type))?.weight;
  const gzip = weightOfCoding('gzip', 'x-gzip') ?? weightOfCoding('*') ?? 0;
  return gzip > 0 && gzip >= (weightOfCoding('identity') ?? 0);
}

/** Returns the weight of the most specific range that holds the offer. */
function weightOf<T>(offer: Offer<T>, ranges: readonly Range[]): number {
  let precision = -1;
  let weight = 0;
  for (const range of ranges) {
    const match = precisionOf(offer, range);
    if (match <= precision) continue;
    precision = match;
    weight = range.weight;
  }
  return weight;
}

/**
 * Returns how closely a range describes an offer: 0 for any type, 1 for its main type, 2 for the type, more
 * with parameters; -1 if not at all.
 */
function precisionOf<T>({ type, parameters }: Offer<T>, range: Range): number {
  if (range.type === '*/*') return 0;
  if (range.type === `${type.split('/')[0]}/*`) return 1;
  if (range.type !== type) return -1;
  for (const [name, value] of range.parameters) {
    if (!IGNORED.has(name) && parameters[name] !== value) return -1;
  }
  return 2 + range.parameters.size;
}

function parseRanges(header: string): Range[] {
  return split(header, ',').flatMap((element) => {
    const [type = '', ...rest] = split(element, ';');
    const parameters = new Map<string, string>();
    for (const part of rest) {
      const at = part.indexOf('=');
      const name = part.slice(0, at).trim().toLowerCase();
      if (at > 0 && TOKEN.test(name)) parameters.set(name, unquoted(part.slice(at + 1).trim()));
    }
    const weight = weightIn(parameters.get('q'));
    parameters.delete('q');
    return type === '' || weight === undefined ? [] : [{ type: type.toLowerCase(), parameters, weight }];
  });
}

/**
 * Parses a weight with at most three digits after the point (RFC 9110, section 12.4.2);
 * undefined for anything else.
 */
function weightIn(q = '1'): number | undefined {
  return /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(q) ? Number(q) : undefined;
}

/** Splits a text at separators outside quoted strings, and trims the parts. */
function split(text: string, separator: ',' | ';'): string[] {
  const pattern = separator === ',' ? /(?:[^",]|"(?:[^"\\]|\\.)*"?)+/g : /(?:[^";]|"(?:[^"\\]|\\.)*"?)+/g;
  return (text.match(pattern) ?? []).map((part) => part.trim());
}

function unquoted(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value;
}
