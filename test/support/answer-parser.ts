/**
 * An HTTP/1.1 answer as it came off the socket. Header names are lower case;
 * repeated fields are joined by ", ".
 */
export interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

type Head = Pick<Answer, 'status' | 'headers'>;
type Framing = { kind: 'none' | 'until-end' | 'chunked' } | { kind: 'length'; length: number };
const headEnd = Buffer.from('\r\n\r\n');

/**
 * Cuts a byte stream into answers by RFC 9112 section 6, and throws on anything that the RFC does not allow
 * (bare LF, two lengths, a broken chunk). Interim answers (1xx) are skipped, and counted in `interim`.
 */
export class AnswerParser {
  interim = 0;
  #pending: Buffer = Buffer.alloc(0);
  /** Chunks behind the pending bytes, which are joined when there are enough: a long body has thousands. */
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  #head: (Head & { framing: Framing }) | undefined;
  readonly #methods: string[] = [];
  readonly #onAnswer: (answer: Answer) => void;

  constructor(onAnswer: (answer: Answer) => void) {
    this.#onAnswer = onAnswer;
  }

  /** Announces the next request: the answer to a HEAD has no body whatever its headers say. */
  expect(method: string): void {
    this.#methods.push(method);
  }

  /** Bytes of an answer that is not complete have arrived. */
  get partial(): boolean {
    return this.#head !== undefined || this.#pending.length + this.#chunkBytes > 0;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    const framing = this.#head?.framing;
    if (framing?.kind === 'length' && this.#pending.length + this.#chunkBytes < framing.length) return;
    this.#pending = Buffer.concat([this.#pending, ...this.#chunks.splice(0)]);
    this.#chunkBytes = 0;
    while (this.#pending.length > 0 && this.#step());
  }

  /** The peer ended. Completes an answer that is framed by the end; any other unfinished one stays `partial`. */
  end(): void {
    if (this.#head?.framing.kind === 'until-end') this.#complete(this.#pending, this.#pending.length);
  }

  #step(): boolean {
    if (this.#head === undefined) return this.#readHead();
    const { framing } = this.#head;
    if (framing.kind === 'length') {
      if (this.#pending.length < framing.length) return false;
      this.#complete(this.#pending.subarray(0, framing.length), framing.length);
      return true;
    }
    if (framing.kind === 'until-end') return false;
    const chunked = readChunked(this.#pending);
    if (chunked === undefined) return false;
    this.#complete(chunked.body, chunked.consumed);
    return true;
  }

  #readHead(): boolean {
    const end = this.#pending.indexOf(headEnd);
    if (end < 0) return false;
    const head = parseHead(this.#pending.subarray(0, end).toString('latin1'));
    this.#pending = this.#pending.subarray(end + headEnd.length);
    if (head.status < 200) {
      this.interim += 1;
      return true;
    }
    const framing = framingOf(head, this.#methods.shift());
    this.#head = { ...head, framing };
    if (framing.kind === 'none') this.#complete(Buffer.alloc(0), 0);
    return true;
  }

  #complete(body: Buffer, consumed: number): void {
    if (this.#head === undefined) throw new Error('no head before the body');
    const { status, headers } = this.#head;
    this.#head = undefined;
    this.#pending = this.#pending.subarray(consumed);
    this.#onAnswer({ status, headers, body: Buffer.from(body) });
  }
}

function parseHead(text: string): Head {
  const [statusLine = '', ...fields] = text.split('\r\n');
  const match = /^HTTP\/1\.[01] (\d{3}) [\t\x20-\x7e\x80-\xff]*$/.exec(statusLine);
  if (match === null) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
  const headers = new Map<string, string>();
  for (const field of fields) {
    const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):[ \t]*([^\r\n\0]*?)[ \t]*$/.exec(field) ?? [];
    if (name === undefined || value === undefined)
      throw new Error(`not a header field: ${JSON.stringify(field)}`);
    const key = name.toLowerCase();
    const before = headers.get(key);
    headers.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return { status: Number(match[1]), headers };
}

function framingOf({ status, headers }: Head, method: string | undefined): Framing {
  const length = headers.get('content-length');
  const coding = headers.get('transfer-encoding');
  if (length !== undefined && !/^\d+$/.test(length)) throw new Error(`Content-Length: ${length}`);
  if (length !== undefined && coding !== undefined)
    throw new Error('Content-Length and Transfer-Encoding in one answer');
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    throw new Error(`Transfer-Encoding: ${coding}`);
  if (method === 'HEAD' || status === 204 || status === 304) return { kind: 'none' };
  if (coding !== undefined) return { kind: 'chunked' };
  if (length === undefined) return { kind: 'until-end' };
  return length === '0' ? { kind: 'none' } : { kind: 'length', length: Number(length) };
}

/** The whole chunked body at the start of `bytes`, or undefined while it is not all there. */
function readChunked(bytes: Buffer): { body: Buffer; consumed: number } | undefined {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const line = bytes.subarray(at, lineEnd).toString('latin1');
    if (!/^[0-9a-fA-F]{1,8}(;.*)?$/.test(line)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    const start = lineEnd + 2;
    if (bytes.length < start + size + 2) return undefined;
    if (size === 0) {
      const end = bytes.indexOf('\r\n', start);
      if (end !== start) throw new Error('trailer fields are not expected');
      return { body: Buffer.concat(parts), consumed: start + 2 };
    }
    if (bytes.toString('latin1', start + size, start + size + 2) !== '\r\n')
      throw new Error('a chunk longer than its size');
    parts.push(bytes.subarray(start, start + size));
    at = start + size + 2;
  }
}
