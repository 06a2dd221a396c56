import { percentDecoded } from './request-target.js';

/** What is sent as `name=value`: the values of each name, still encoded, since a delimiter is told apart only so. */
export class Fields {
  readonly #values = new Map<string, string[]>();

  constructor(
    readonly decode: (text: string) => string,
    /** A name can be there more than once, and each counts. */
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

  get names(): Iterable<string> {
    return this.#values.keys();
  }

  /** The name is there once, without a value. */
  isEmpty(name: string): boolean {
    const values = this.#values.get(name);
    return values?.length === 1 && values[0] === '';
  }
}

export function queryFields(query: string): Fields {
  return fields(query, '&', new Fields((text) => decodePlus(text, 'query'), true));
}

/** Of cookies with the same name the first belongs to the longest path (RFC 6265 section 5.4). */
export function cookieFields(header: string): Fields {
  return fields(header, ';', new Fields(decodeCookie, false));
}

/** Of an `application/x-www-form-urlencoded` body. */
export function formFields(text: string): Fields {
  return fields(text, '&', new Fields((part) => decodePlus(part, 'body'), true));
}

function fields(text: string, separator: string, found: Fields): Fields {
  if (text === '') return found;
  for (const pair of text.split(separator)) {
    const equals = pair.indexOf('=');
    if (equals < 0) found.add(found.decode(pair), '');
    else found.add(found.decode(pair.slice(0, equals)), pair.slice(equals + 1));
  }
  return found;
}

function decodePlus(text: string, location: 'query' | 'body'): string {
  return percentDecoded(text.includes('+') ? text.replaceAll('+', ' ') : text, location);
}

/** Most cookies were not made for this API, and a "%" means nothing in them (RFC 6265 section 4.1.1). */
function decodeCookie(text: string): string {
  try {
    return decodeURIComponent(text.trim());
  } catch {
    return text.trim();
  }
}
