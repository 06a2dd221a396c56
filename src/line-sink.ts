import { type Put, putOf, RETRY_MS } from './standard-stream.js';

/** The most bytes that wait for a slow reader. */
const MAX_WAITING = 256 * 1024;

/** Milliseconds for which a process that ends tries to write the waiting lines. */
const LAST_TRY_MS = 200;

const LINE_FEED = Buffer.from('\n');

/**
 * Writes lines to stdout or stderr, at once and in order, and never waits for their reader: a pipe that
 * nobody empties, a full disk and a closed pipe cost only lines, which are counted.
 */
export class LineSink {
  /** The number of lines that could not be written. */
  lost = 0;
  readonly #standard: 1 | 2;
  /** Made for the first line: a function that logs nothing starts sooner. */
  #put: Put | undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Whether the last write ended in the middle of a line. */
  #midLine = false;
  #brokenOff = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(standard: 1 | 2) {
    this.#standard = standard;
    process.on('exit', () => this.giveUp());
  }

  /** Writes a line, which ends in a line feed. Never throws. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > MAX_WAITING && this.#waiting.length > 0) {
      this.lost += 1;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    // While earlier lines wait, the timer does the next try.
    if (this.#waiting.length === 1) this.#flush();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    for (let [first] = this.#waiting; first; [first] = this.#waiting) {
      const written = this.#writeSome(first);
      if (written === 0) {
        this.#timer = setTimeout(() => this.#flush(), RETRY_MS).unref();
        return;
      }
      this.#waitingBytes -= written;
      if (written < first.length) this.#waiting[0] = first.subarray(written);
      else this.#waiting.shift();
    }
  }

  /** Writes bytes. Returns how many are done with: written, or given up with their line. */
  #writeSome(bytes: Buffer): number {
    try {
      const put = (this.#put ??= putOf(this.#standard));
      // A line that was given up half-way must not run into the next one.
      if (this.#brokenOff && put(LINE_FEED) === 0) return 0;
      this.#brokenOff = false;
      const written = put(bytes);
      if (written > 0) this.#midLine = written < bytes.length;
      return written;
    } catch {
      this.lost += 1;
      this.#brokenOff ||= this.#midLine;
      this.#midLine = false;
      return bytes.length;
    }
  }

  /** Tries for 200 ms to write the lines that wait, and gives up the others, which are lost. */
  giveUp(): void {
    const end = performance.now() + LAST_TRY_MS;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (this.#flush(); this.#waiting.length > 0 && performance.now() < end; this.#flush())
      Atomics.wait(pause, 0, 0, 5);
    this.lost += this.#waiting.length;
    this.#brokenOff ||= this.#waiting.length > 0 && this.#midLine;
    this.#waiting = [];
    this.#waitingBytes = 0;
  }
}
