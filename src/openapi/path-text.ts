/** Returns the texts before, between and behind a template's parameters, as `octetsOf` has those of a request. */
export function textsOf(template: string): string[] {
  return template.split(/\{[^{}]+\}/).map((text) => octetsOf(percentEncoded(text)));
}

/** Encodes what is not encoded yet. */
export function percentEncoded(text: string): string {
  return encodeURI(text).replaceAll('%25', '%');
}

/**
 * Returns a text with one character for each octet. Texts that mean the same (RFC 3986 section 6.2.2) have
 * equal ones: encodings have no case, and what needs none is itself. Whatever else is encoded, such as a slash,
 * becomes a character of a private use, which no request has.
 */
export function octetsOf(text: string): string {
  return text.includes('%') ? text.replaceAll(/%[0-9a-f]{2}/gi, octetOf) : text;
}

/** The characters that stand for encoded octets, by octet. */
const CHARACTERS = Array.from({ length: 256 }, (_, octet) => {
  const character = String.fromCharCode(octet);
  return /[\w.~-]/.test(character) ? character : String.fromCharCode(0xe000 + octet);
});

function octetOf(encoded: string): string {
  return CHARACTERS[Number.parseInt(encoded.slice(1), 16)] ?? encoded;
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
