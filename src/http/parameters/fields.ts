import { decodedIfValid, percentDecoded } from './request-target.js';

/**
 * The values of `name=value` pairs by name, still encoded: decoded, a delimiter would look
 * like a character of a value.
 */
export class Fields {
  readonly #values = new Map<string, string[]>();

  constructor(
    /** Decodes a text of the field of this name. */
    readonly decode: (text: string, name: string) => string,
    /** Whether a name may have several values. */
    readonly repeats: boolean,
  ) {}

  add(name: string, value: string): void {
    const values = this.#values.get(name);
    if (values) values.push(value);
    else this.#values.set(name, [value]);
  }

  get(name: string): readonly string[] | undefined {
    return this.#values.get(name);
  }

  /** Returns the values of a name decoded; none for a name that does not occur. */
  decoded(name: string): string[] {
    return (this.#values.get(name) ?? []).map((text) => this.decode(text, name));
  }

  /** Encodes the "+" in values of a name, so that it stands for itself and not for a space. */
  keepPluses(name: string): this {
    const values = this.#values.get(name);
    if (values)
      this.#values.set(
        name,
        values.map((value) => value.replaceAll('+', '%2B')),
      );
    return this;
  }

  get names(): Iterable<string> {
    return this.#values.keys();
  }

  /** Tells whether a name occurs once, without a value. */
  isEmpty(name: string): boolean {
    const values = this.#values.get(name);
    return values?.length === 1 && values[0] === '';
  }
}

export function queryFields(query: string): Fields {
  return pairsOf(query, new Fields((text, name) => decodePlus(text, 'query', name), true));
}

/**
 * Reads a Cookie header. The first cookie of a name counts: it has the longest path (RFC 6265 section 5.4).
 */
export function cookieFields(header: string): Fields {
  const found = new Fields(decodeCookie, false);
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    // A cookie without "=" is one without a name.
    if (equals >= 0) found.add(cookieName(pair.slice(0, equals)), pair.slice(equals + 1));
  }
  return found;
}

/** Reads an `application/x-www-form-urlencoded` body. */
export function formFields(text: string): Fields {
  return pairsOf(text, new Fields((part, name) => decodePlus(part, 'body', name), true));
}

function pairsOf(text: string, found: Fields): Fields {
  if (text === '') return found;
  for (const pair of text.split('&')) {
    const equals = pair.indexOf('=');
    const encoded = equals < 0 ? pair : pair.slice(0, equals);
    const name = found.decode(encoded, encoded);
    if (equals >= 0) found.add(name, pair.slice(equals + 1));
    // An empty pair, such as that behind a last "&", is none (URL Standard section 5.1).
    else if (name !== '') found.add(name, '');
  }
  return found;
}

function decodePlus(text: string, location: 'query' | 'body', name: string): string {
  return percentDecoded(text.includes('+') ? text.replaceAll('+', ' ') : text, location, name);
}

/**
 * Returns the name of a cookie, as the security and `ctx.cookies` find it; decoded only where a cookie can't
 * have the name as it is. Otherwise `%5F_Host-id`, which any subdomain may set, would be `__Host-id`.
 */
function cookieName(text: string): string {
  const decoded = decodeCookie(text);
  return TOKEN.test(decoded) ? text.replace(/^ +/, '') : decoded;
}

const TOKEN = /^[!#$%&'*+.^`|~\w-]*$/;

/**
 * Decodes a cookie where it can be decoded. A foreign cookie with a bare "%" (RFC 6265
 * section 4.1.1) would be a 400.
 */
function decodeCookie(text: string): string {
  return decodedIfValid(text.trim());
}
