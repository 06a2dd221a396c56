/** A `Content-Type` (RFC 9110 section 8.3): the type in lower case, and its charset if one is named. */
export interface MediaType {
  readonly essence: string;
  readonly charset: string | undefined;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
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
  PARAMETER.lastIndex = start[0].length;
  while (PARAMETER.lastIndex < header.length) {
    const parameter = PARAMETER.exec(header);
    if (!parameter) return undefined;
    const [, name, token, quoted] = parameter;
    if (name?.toLowerCase() !== 'charset') continue;
    // Two charsets are a trick: a proxy would check the body by one of them, and we
    // would decode it by the other.
    if (charset !== undefined) return undefined;
    charset = (token ?? quoted?.replaceAll(/\\(.)/g, '$1') ?? '').toLowerCase();
  }
  return { essence: start[1].toLowerCase(), charset };
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
 * Returns the entry of a type: under its own name, or else under the smallest range that holds it;
 * `undefined` if there is none.
 */
export function findByType<T>(contents: ReadonlyMap<string, T>, essence: string): T | undefined {
  return contents.get(essence) ?? contents.get(`${essence.split('/')[0]}/*`) ?? contents.get('*/*');
}
