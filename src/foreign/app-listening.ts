import { subscribe } from 'node:diagnostics_channel';
import { resolve, sep } from 'node:path';
import type { Config } from '../config.js';

/** The folder of this package's own modules. */
const OWN = resolve(__dirname, '..') + sep;

/** The place in a line of a stack; modules of Node have none that is a path. */
const PLACE = /((?:file:\/\/)?\/.*?:\d+):\d+\)?$/;

/**
 * The ports on which code that is not ours listens in this process, each with the file and line of the call.
 */
export type AppListening = ReadonlyMap<number, string>;

/** Collects the calls of `listen` from now on. */
export function watchListening(): AppListening {
  const places = new Map<number, string>();
  subscribe('tracing:net.server.listen:asyncStart', (message) => {
    const { options }: { options?: { port?: unknown } } = Object(message);
    const place = callerOf(new Error('listen').stack ?? '');
    if (options?.port !== undefined && place !== undefined) places.set(Number(options.port), place);
  });
  return places;
}

/** Tells the author of an app that it listens where the service is to listen. */
export function listeningProblem(
  listening: AppListening,
  { listen, port }: Pick<Config, 'listen' | 'port'>,
): string | undefined {
  const place = listen === undefined ? listening.get(port) : undefined;
  return (
    place &&
    `The app itself listens on port ${port}, which the service does for it: remove the call of "listen" in ${place}.`
  );
}

/**
 * Tells whether a server of this process listens since a time when nobody watched. Its port can't be seen.
 */
export function listensUnseen(listening: AppListening): boolean {
  return listening.size === 0 && process.getActiveResourcesInfo().includes('TCPServerWrap');
}

/**
 * Returns the app's own line in a stack, or else that of the package that it calls; undefined for calls of
 * ours.
 */
function callerOf(stack: string): string | undefined {
  const places = stack.split('\n').flatMap((line) => PLACE.exec(line)?.[1] ?? []);
  const [, called] = places; // the first is this module
  if (called === undefined || called.startsWith(OWN)) return undefined;
  return places.slice(1).find((place) => !place.includes(`${sep}node_modules${sep}`)) ?? called;
}
