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
    // Two charsets are a trick: whoever checks one of them decodes with the other.
    if (charset !== undefined) return undefined;
    charset = (token ?? quoted?.replaceAll(/\\(.)/g, '$1') ?? '').toLowerCase();
  }
  return { essence: start[1].toLowerCase(), charset };
}

/** What a body is read as. */
export type BodyKind = 'json' | 'text';

/** What bodies of a media type are read as; `undefined` if this service can't read them. */
export function bodyKind(mediaType: string): BodyKind | undefined {
  if (mediaType === 'application/json' || /^[^/*]+\/[^/*]+\+json$/.test(mediaType)) return 'json';
  return mediaType === 'text/plain' ? 'text' : undefined;
}
