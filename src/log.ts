import { isatty } from 'node:tty';
import { pino, stdTimeFunctions, type DestinationStream, type Level, type Logger } from 'pino';
import { build as pretty } from 'pino-pretty';

export type { Logger };

const STDOUT = 1;

/**
 * Makes the service's logger: for a person where stdout is a terminal, else one JSON object per line. Lines are written
 * synchronously, so that none is lost at an exit.
 * @param stream where the lines go instead, as JSON
 */
export function createLog(level: Level | 'silent', stream?: DestinationStream): Logger {
  const options = {
    level,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(
    options,
    stream ?? (isatty(STDOUT) ? forPeople() : pino.destination({ dest: STDOUT, sync: true })),
  );
}

function forPeople(): DestinationStream {
  return pretty({ destination: STDOUT, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' });
}
