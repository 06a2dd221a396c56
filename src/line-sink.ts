import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { constants as system } from 'node:os';
import { isatty } from 'node:tty';
import { type Koffi, loadKoffi } from './koffi.js';
import { codeOf } from './thrown.js';

/** The most bytes that wait for a slow reader. */
const MAX_WAITING = 256 * 1024;

/** Milliseconds until the next try to write to a slow reader. */
export const RETRY_MS = 50;

/** Milliseconds for which a process that ends tries to write the waiting lines. */
const LAST_TRY_MS = 200;

/** `MSG_DONTWAIT | MSG_NOSIGNAL` of Linux. */
const DONTWAIT_NOSIGNAL = 0x4040;

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

/** Writes bytes. Returns how many, 0 if the write would have to wait; throws if they can never be written. */
export type Put = (bytes: Buffer) => number;

const LINE_FEED = Buffer.from('\n');

/** Returns a function that writes to stdout or stderr and never waits for the reader. */
export function putOf(standard: 1 | 2): Put {
  const stat = fstatSync(standard);
  if (stat.isSocket() && process.platform === 'linux') {
    try {
      return sendingTo(standard, loadKoffi());
    } catch {
      // Without koffi a write to a socket waits where another process has set it so.
    }
  }
  const fd = stat.isFIFO() || stat.isSocket() || isatty(standard) ? neverWaiting(standard) : standard;
  return (bytes) => {
    try {
      return writeSync(fd, bytes);
    } catch (err) {
      if (codeOf(err) === 'EAGAIN' || codeOf(err) === 'EINTR') return 0;
      throw err;
    }
  };
}

/**
 * Sends to a socket, which cannot be opened once more, without waiting. Its O_NONBLOCK would not do: Node
 * takes that off the standard streams, which all processes share, whenever one of them starts or ends.
 */
function sendingTo(socket: number, koffi: Koffi): Put {
  const send = koffi.load(null).func('intptr_t send(int fd, const void *bytes, size_t length, int flags)');
  const { EBADF, ECONNRESET, ENOTCONN, EPIPE } = system.errno;
  const gone = [EBADF, ECONNRESET, ENOTCONN, EPIPE];
  return (bytes) => {
    const sent = Number(send(socket, bytes, bytes.length, DONTWAIT_NOSIGNAL));
    if (sent >= 0) return sent;
    const errno = koffi.errno();
    if (gone.includes(errno)) throw new Error(`send: errno ${errno}`);
    return 0;
  };
}

/** Opens a file descriptor on which a write fails if it would have to wait. */
function neverWaiting(standard: 1 | 2): number {
  const { O_WRONLY, O_APPEND, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    // The pipe or terminal is opened once more: on the shared descriptor, O_NONBLOCK would change the
    // writes of other programs too.
    return openSync(`/proc/self/fd/${standard}`, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
  } catch {
    // A socket, or a pipe of another user, cannot be opened. Node's own stream, once it is
    // made, sets it to non-blocking.
    return standard === 1 ? process.stdout.fd : process.stderr.fd;
  }
}
