/** A `Content-Type` (RFC 9110 section 8.3): the type in lower case, and its charset if one is named. */
export interface MediaType {
  readonly essence: string;
  /** The type with its parameters, in one spelling and order. The charset is not among them. */
  readonly full: string;
  readonly charset: string | undefined;
}

/** Names of charsets whose texts are UTF-8. */
export const UTF8: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii']);

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const IS_TOKEN = new RegExp(`^${TOKEN}$`);
const ESSENCE = new RegExp(`^(${TOKEN}/${TOKEN})[ \\t]*(?=;|$)`);
const PARAMETER = new RegExp(
  `;[ \\t]*(?:(${TOKEN})=(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)"))?[ \\t]*(?=;|$)`,
  'y',
);

/** Parses the value of a `Content-Type` header; `undefined` if it is not one by the letter of the RFC. */
export function parseMediaType(header: string): MediaType | undefined {
  const start = ESSENCE.exec(header);
  if (!start?.[1]) return undefined;
  let charset: string | undefined;
  const parameters: string[] = [];
  PARAMETER.lastIndex = start[0].length;
  while (PARAMETER.lastIndex < header.length) {
    const parameter = PARAMETER.exec(header);
    if (!parameter) return undefined;
    const [, name, token, quoted] = parameter;
    if (name === undefined) continue;
    const value = token ?? quoted?.replaceAll(/\\(.)/g, '$1') ?? '';
    if (name.toLowerCase() !== 'charset') {
      parameters.push(`;${name.toLowerCase()}=${IS_TOKEN.test(value) ? value : JSON.stringify(value)}`);
      continue;
    }
    // Two charsets are a trick: a proxy would check the body by one of them, and we
    // would decode it by the other.
    if (charset !== undefined) return undefined;
    charset = value.toLowerCase();
  }
  const essence = start[1].toLowerCase();
  return { essence, full: essence + parameters.toSorted().join(''), charset };
}

/** Returns a key of a description's `content` with its parameters, as MediaType has it in `full`. */
export function fullTypeOf(declared: string): string {
  return parseMediaType(declared.trim())?.full ?? essenceOf(declared);
}

/**
 * Returns a key of a description's `content`, which may be a range such as `image/*`, in lower
 * case and without parameters.
 */
export function essenceOf(declared: string): string {
  return (declared.split(';', 1)[0] ?? '').trim().toLowerCase();
}

export function isJson(essence: string): boolean {
  return /^(?:application|text)\/json$|\+json$/.test(essence);
}

/**
 * Returns the entry of a type: that with its parameters, or else without any, or else with others, or else
 * that of the smallest range that holds it; `undefined` if there is none.
 */
export function findByType<T>(
  contents: ReadonlyMap<string, T>,
  { essence, full }: Pick<MediaType, 'essence' | 'full'>,
): T | undefined {
  for (const type of [full, essence, `${essence.split('/')[0]}/*`, '*/*']) {
    const found =
      contents.get(type) ?? [...contents].findLast(([declared]) => essenceOf(declared) === type)?.[1];
    if (found !== undefined) return found;
  }
  return undefined;
}
