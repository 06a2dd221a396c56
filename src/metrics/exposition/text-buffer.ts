/** The most characters of a number in prom-client's notation. */
const LONGEST_NUMBER = 32;
const ZERO = 0x30;
const LINE_FEED = 0x0a;

/**
 * A text that is put together as bytes. An exposition would otherwise be made of tens of thousands of
 * strings, which keep the garbage collector busy for longer than the text takes.
 */
export class TextBuffer {
  #bytes: Buffer;
  #length = 0;

  /** @param expected bytes to reserve; a longer text is copied as it grows */
  constructor(expected = 0) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(expected, 16 * 1024));
  }

  get length(): number {
    return this.#length;
  }

  /** The bytes so far, not copied. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  append(text: string): void {
    this.#reserve(3 * text.length);
    this.#length += this.#bytes.write(text, this.#length);
  }

  appendBytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Appends a series, which ends with a space, its value and the end of the line. */
  appendLine(series: Uint8Array, value: number): void {
    this.#reserve(series.length + LONGEST_NUMBER);
    this.#bytes.set(series, this.#length);
    this.#length += series.length;
    this.#appendNumber(value);
    this.#bytes[this.#length++] = LINE_FEED;
  }

  #appendNumber(value: number): void {
    // Nearly all values are integers up to here, which need no string.
    if (value < 1e9 && Number.isInteger(value) && value >= 0) this.#appendDigits(value);
    else this.#length += this.#bytes.write(String(value), this.#length, 'latin1');
  }

  #appendDigits(value: number): void {
    let digits = 1;
    for (let power = 10; power <= value; power *= 10) digits++;
    let rest = value;
    for (let at = this.#length + digits - 1; at >= this.#length; at--) {
      const tenth = Math.trunc(rest / 10);
      this.#bytes[at] = ZERO + rest - 10 * tenth;
      rest = tenth;
    }
    this.#length += digits;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.bytes);
    this.#bytes = larger;
  }
}
