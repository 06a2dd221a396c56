import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants as system } from 'node:os';
import { isatty } from 'node:tty';
import { type Koffi, loadKoffi } from './koffi.js';
import { codeOf } from './thrown.js';

/** Milliseconds until the next try to write to a slow reader. */
export const RETRY_MS = 50;

/** The most bytes of an app's own output, such as that of `console.log`, that wait for a slow reader. */
const MAX_WAITING = 16 * 1024 * 1024;

/** `MSG_DONTWAIT | MSG_NOSIGNAL` of Linux. */
const DONTWAIT_NOSIGNAL = 0x4040;

/**
 * Makes Node's stdout and stderr, which handlers may write to, neither wait for a reader nor end the process
 * where that has gone.
 * @param onLost called for each write of which not all could be written
 */
export function neverWait(onLost: () => void): void {
  for (const [stream, standard] of [[process.stdout, 1] as const, [process.stderr, 2] as const]) {
    stream.on('error', () => {});
    if (stream instanceof Socket) writeAtOnce(stream, standard, onLost);
    dropBeyond(MAX_WAITING, stream, onLost);
  }
}

/**
 * Makes a standard stream write without waiting for its reader. Node's own O_NONBLOCK is shared with all
 * processes that have the stream, and taken off when one starts: the next `console.log` would wait for ever.
 */
function writeAtOnce(stream: Socket, standard: 1 | 2, onLost: () => void): void {
  let put: Put | undefined;
  const write = (chunk: string | Buffer, encoding: BufferEncoding, done: () => void, waitMs = 1): void => {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
    let written = bytes.length;
    try {
      written = (put ??= putOf(standard))(bytes);
    } catch {
      onLost();
    }
    if (written === bytes.length) done();
    else {
      const nextMs = written > 0 ? 1 : Math.min(2 * waitMs, RETRY_MS);
      setTimeout(write, waitMs, bytes.subarray(written), encoding, done, nextMs);
    }
  };
  Object.assign(stream, { _write: write, _writev: null });
}

/** Drops what is written to a stream while so many bytes wait for its reader: they would fill the memory. */
function dropBeyond(maxBytes: number, stream: NodeJS.WriteStream, onDrop: () => void): void {
  stream.write = new Proxy(stream.write.bind(stream), {
    apply(write, _, args: unknown[]): unknown {
      if (stream.writableLength < maxBytes) return Reflect.apply(write, stream, args);
      onDrop();
      const written: unknown = args.at(-1);
      if (typeof written === 'function') process.nextTick(written);
      return false;
    },
  });
}

/** Writes bytes. Returns how many, 0 if the write would have to wait; throws if they can never be written. */
export type Put = (bytes: Buffer) => number;

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
