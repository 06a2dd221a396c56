import type { Config } from '../config.js';
import { lineOf } from '../thrown.js';

/**
 * Tells a person in one line why an address can't be listened on, and what to do.
 * @param variable the environment variable that the port comes from
 * @returns undefined for an error that is not about listening
 */
export function listenProblem(
  err: unknown,
  variable: string,
  port: number,
  host?: string,
): string | undefined {
  if (!(err instanceof Error) || !('code' in err)) return undefined;
  const where = host ?? 'all interfaces';
  switch (err.code) {
    case 'EADDRINUSE':
      return `Port ${port} is already in use (${where}): stop the other program or set ${variable}.`;
    case 'EACCES':
      return `Port ${port} needs more rights than this process has (${where}): set ${variable} to one above 1023.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${where} is no address of this machine: set ${variable === 'PORT' ? 'HOST' : 'METRICS_HOST'} to one that is.`;
    default:
      return undefined;
  }
}

/** Says in one line why a Unix socket can't be listened on, as `listenProblem` does it for a port. */
function socketProblem(err: unknown, path: string): string | undefined {
  if (!(err instanceof Error) || !('code' in err)) return undefined;
  switch (err.code) {
    case 'EADDRINUSE':
      return `${path} is in use by another program, or is no socket: stop that program or set LISTEN to another path.`;
    case 'EACCES':
    case 'EROFS':
      return `${path} can't be made: its folder is not there or not writable. Set LISTEN to a path in one that is.`;
    default:
      return undefined;
  }
}

/** Errors that are no fault of the program: a stack would not help. */
const FOR_A_PERSON: ReadonlySet<string> = new Set(['ContractError', 'ServiceError', 'BuildReplaced']);

/**
 * Tells whether an error is about listening there: a service may open ports, files and sockets of its own.
 */
function isAbout(err: unknown, port: number, host: string | undefined): boolean {
  const { syscall, hostname, port: at = 0 }: Record<string, unknown> = Object(err);
  if (syscall === 'getaddrinfo') return hostname === host;
  return (syscall === 'listen' || syscall === 'bind') && at === port;
}

function isAboutSocket(err: unknown, socket: string): boolean {
  const { address, path }: Record<string, unknown> = Object(err);
  return address === socket || path === socket;
}

/** Tells a person why a worker can't start. */
export function bootProblem(err: unknown, config: Config): string {
  const problem = placeProblem(err, config);
  if (problem !== undefined) return problem;
  if (!(err instanceof Error)) return String(err);
  return FOR_A_PERSON.has(err.name)
    ? err.message
    : `${err.stack}\nThe service does not start: ${lineOf(err)}`;
}

function placeProblem(
  err: unknown,
  { listen, port, host, metricsPort, metricsHost }: Config,
): string | undefined {
  if (listen !== undefined && isAboutSocket(err, listen)) return socketProblem(err, listen);
  if (listen === undefined && isAbout(err, port, host)) return listenProblem(err, 'PORT', port, host);
  // In PM2's cluster mode it is a worker that listens on it.
  if (metricsPort !== undefined && isAbout(err, metricsPort, metricsHost))
    return listenProblem(err, 'METRICS_PORT', metricsPort, metricsHost);
  return undefined;
}

/** Tells a person how the first worker ended without a word. */
export function silentBootProblem(code: number | null, signal: string | null, timeoutMs: number): string {
  if (signal === 'SIGKILL') return `The first worker was not ready within ${timeoutMs} ms, or was killed.`;
  return `The first worker ended before it was ready (${signal ?? `exit code ${code}`}).`;
}
