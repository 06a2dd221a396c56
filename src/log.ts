import { isatty } from 'node:tty';
import { pino, stdTimeFunctions, type DestinationStream, type Level, type Logger } from 'pino';
import { LineSink } from './line-sink.js';
import { neverWait } from './standard-stream.js';

export type { Logger };

const STDOUT = 1;

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
  let dropped = 0;
  neverWait(() => (dropped += 1));
  const sink = new LineSink(STDOUT);
  const log = createLog(level, isatty(STDOUT) ? forPeople(sink) : sink);
  return { log, linesLost: () => sink.lost + dropped, giveUp: () => sink.giveUp() };
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
