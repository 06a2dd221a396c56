import { isatty } from 'node:tty';
import { pino, stdTimeFunctions, type DestinationStream, type Level, type Logger } from 'pino';

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
  // Loaded where it is wanted only, which is not where a service runs. `require`, because this is no time to wait.
  const { build } = require('pino-pretty') as typeof import('pino-pretty');
  return build({ destination: STDOUT, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' });
}
