const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/y;
const SPACE = /\s*/y;
/** Everything by which the depth is told, strings because of what may be in them. */
const BRACKET = /"(?:[^"\\]|\\.)*"|[{}[\]]/g;

/**
 * Returns the offset in a JSON text at which the value of a path begins, or else the nearest value around it.
 */
export function offsetInJson(text: string, path: readonly string[]): number {
  const scanner = new Scanner(text);
  let found = scanner.offset;
  for (const key of path) {
    const offset = scanner.enter(key);
    if (offset === undefined) return found;
    found = offset;
  }
  return found;
}

/** Goes through the text without making values of it: the path may lead into a file of many megabytes. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#skipSpace();
  }

  get offset(): number {
    return this.#at;
  }

  /** Goes to the value of a key in the object or list that begins here. */
  enter(key: string): number | undefined {
    const open = this.#token();
    if (open !== '{' && open !== '[') return undefined;
    for (let index = 0; !/[}\]]/.test(this.#text.charAt(this.#at)); index += 1) {
      const name: unknown = open === '{' ? JSON.parse(this.#token()) : String(index);
      if (open === '{') this.#token();
      if (name === key) return this.#at;
      this.#skipValue();
      if (this.#text.charAt(this.#at) === ',') this.#token();
    }
    return undefined;
  }

  #skipValue(): void {
    const first = this.#token();
    let depth = first === '{' || first === '[' ? 1 : 0;
    if (depth === 0) return;
    BRACKET.lastIndex = this.#at;
    while (depth > 0) {
      const [token = '}'] = BRACKET.exec(this.#text) ?? [];
      if (token === '{' || token === '[') depth += 1;
      else if (token === '}' || token === ']') depth -= 1;
    }
    this.#at = BRACKET.lastIndex;
    this.#skipSpace();
  }

  #token(): string {
    TOKEN.lastIndex = this.#at;
    const [token = ''] = TOKEN.exec(this.#text) ?? [];
    this.#at += token.length;
    this.#skipSpace();
    return token;
  }

  #skipSpace(): void {
    SPACE.lastIndex = this.#at;
    SPACE.exec(this.#text);
    this.#at = SPACE.lastIndex;
  }
}
