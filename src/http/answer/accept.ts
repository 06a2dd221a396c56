/** One of what a client accepts (RFC 9110, section 12.5): `type` in lower case, without spaces. */
interface Range {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** From 0, which is a refusal, to 1. */
  readonly weight: number;
}

/** What can be answered with: a media type and the parameters that tell it from others of that type. */
export interface Offer<T> {
  readonly value: T;
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Parameters that say how, not what: they are taken as they come. */
const IGNORED = new Set(['charset', 'escaping']);

const TOKEN = /^[!#$%&'*+.^`|~\w-]+$/;

/**
 * The offer that `Accept` prefers; of those that it likes equally, the first one. Where it likes none of them, or is missing, the
 * first one too: a client that gets a type it did not ask for sees more than one that gets 406.
 */
export function preferred<T>(accept: string | undefined, offers: readonly [Offer<T>, ...Offer<T>[]]): T {
  const ranges = parseRanges(accept ?? '');
  let [best] = offers;
  for (const offer of offers) if (weightOf(offer, ranges) > weightOf(best, ranges)) best = offer;
  return best.value;
}

/** Whether `Accept-Encoding` has gzip, by name or as one of all. */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  const codings = parseRanges(acceptEncoding ?? '');
  const coding =
    codings.find(({ type }) => type === 'gzip' || type === 'x-gzip') ??
    codings.find(({ type }) => type === '*');
  return (coding?.weight ?? 0) > 0;
}

/** The weight of the most specific range that the offer is in. */
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

/** How closely a range describes an offer: 0 for any type, 1 for its main type, 2 for the type, more with parameters; -1 if not at all. */
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

/** At most three digits after the point (RFC 9110, section 12.4.2); undefined for anything else. */
function weightIn(q = '1'): number | undefined {
  return /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(q) ? Number(q) : undefined;
}

/** The parts between separators that do not stand in a quoted string, trimmed. */
function split(text: string, separator: ',' | ';'): string[] {
  const pattern = separator === ',' ? /(?:[^",]|"(?:[^"\\]|\\.)*"?)+/g : /(?:[^";]|"(?:[^"\\]|\\.)*"?)+/g;
  return (text.match(pattern) ?? []).map((part) => part.trim());
}

function unquoted(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value;
}
