import { isAscii } from 'node:buffer';

/** No number in prom-client's notation is longer. */
const LONGEST_NUMBER = 32;
const ZERO = 0x30;
const LINE_FEED = 0x0a;

/**
 * An exposition that is put together in memory which is kept from one to the next. The tens of thousands of strings that it
 * would otherwise be made of keep the garbage collector busy for longer than the text takes.
 */
export class TextBuffer {
  #bytes = Buffer.allocUnsafeSlow(64 * 1024);
  #length = 0;

  clear(): void {
    this.#length = 0;
  }

  append(text: string): void {
    this.#reserve(3 * text.length);
    this.#length += this.#bytes.write(text, this.#length);
  }

  /** A series, a space, its value and the end of the line. `series` ends with the space. */
  appendLine(series: Uint8Array, value: number): void {
    this.#reserve(series.length + LONGEST_NUMBER);
    this.#bytes.set(series, this.#length);
    this.#length += series.length;
    this.#appendNumber(value);
    this.#bytes[this.#length++] = LINE_FEED;
  }

  toString(): string {
    const bytes = this.#bytes.subarray(0, this.#length);
    return bytes.toString(isAscii(bytes) ? 'latin1' : 'utf8');
  }

  #appendNumber(value: number): void {
    // Integers up to here are what nearly all values are, and need no string.
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
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
