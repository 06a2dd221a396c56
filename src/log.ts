import { Socket } from 'node:net';
import { isatty } from 'node:tty';
import { pino, stdTimeFunctions, type DestinationStream, type Level, type Logger } from 'pino';
import { LineSink, type Put, putOf, RETRY_MS } from './line-sink.js';

export type { Logger };

const STDOUT = 1;

/** The most bytes of an app's own output, such as that of `console.log`, that wait for a slow reader. */
const MAX_WAITING = 16 * 1024 * 1024;

export interface Log {
  readonly log: Logger;
  /** Returns the number of lines that could not be written so far. */
  readonly linesLost: () => number;
  /**
   * Gives up the lines that still wait for a slow reader, so that `linesLost` counts them. To be called
   * before the last word about them.
   */
  readonly giveUp: () => void;
}

/**
 * Makes the service's log on stdout: for a person if that is a terminal, else one JSON object per line.
 * Lines are written at once, so that none is lost at an exit; but the service never waits for a stuck
 * reader, and a full disk causes no error.
 */
export function openLog(level: Level | 'silent'): Log {
  // Handlers may write to these streams. A closed reader must not end the process there either, nor a stuck
  // one.
  let dropped = 0;
  for (const [stream, standard] of [[process.stdout, 1] as const, [process.stderr, 2] as const]) {
    stream.on('error', () => {});
    if (stream instanceof Socket) writeAtOnce(stream, standard, () => (dropped += 1));
    dropBeyond(MAX_WAITING, stream, () => (dropped += 1));
  }
  const sink = new LineSink(STDOUT);
  const log = createLog(level, isatty(STDOUT) ? forPeople(sink) : sink);
  return { log, linesLost: () => sink.lost + dropped, giveUp: () => sink.giveUp() };
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

/**
 * Makes the service's log on a standard stream that somebody else, such as PM2, has taken over:
 * lines are lost where that fails.
 */
export function openLogOn(stream: NodeJS.WritableStream, level: Level | 'silent'): Log {
  let lost = 0;
  const written = (err?: Error | null) => {
    if (err) lost += 1;
  };
  // PM2's own function wants all three.
  const write = (line: string) => void stream.write(line, 'utf8', written);
  return { log: createLog(level, { write }), linesLost: () => lost, giveUp: () => {} };
}

/** Makes a logger whose lines, one JSON object each, go to a stream. */
export function createLog(level: Level | 'silent', stream: DestinationStream): Logger {
  const options = {
    level,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, stream);
}

function forPeople(sink: LineSink): DestinationStream {
  // The module is loaded only for a terminal, where no service runs. `require`,
  // because this function cannot wait.
  const { prettyFactory, isColorSupported }: typeof import('pino-pretty') = require('pino-pretty');
  const pretty = prettyFactory({
    colorize: isColorSupported,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
  });
  return { write: (line) => sink.write(pretty(line)) };
}
