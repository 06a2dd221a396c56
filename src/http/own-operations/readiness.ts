import type { Logger } from '../../log.js';
import { messageOf } from '../../thrown.js';

/** Milliseconds that a check may take, and that its result is kept. */
const DEADLINE_MS = 2_000;
const KEPT_MS = 1_000;

type Checks = Readonly<Record<string, () => unknown>>;

/** Results of a service's checks, by their names. */
export type Findings = Readonly<Record<string, 'ok' | 'failing'>>;

/**
 * Makes a function that runs all checks together, unless it did so within the
 * last second. It does not reject.
 */
export function readiness(checks: Checks, log: Logger): () => Promise<Findings> {
  let latest: Promise<Findings> | undefined;
  let until = -Infinity;
  let failing = '';
  const run = async (): Promise<Findings> => {
    const found = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => [name, await failureOf(check)] as const),
    );
    const failures = found.filter(([, failure]) => failure !== undefined);
    const names = failures.map(([name]) => name).join(', ');
    // A change of the failing checks is logged; a line for every probe would fill the log.
    if (names !== failing && names !== '')
      log.warn({ failures: Object.fromEntries(failures) }, 'Not ready: a check of the service fails');
    if (names !== failing && names === '') log.info('Ready again: no check of the service fails');
    failing = names;
    until = performance.now() + KEPT_MS;
    return Object.fromEntries(
      found.map(([name, failure]) => [name, failure === undefined ? 'ok' : 'failing']),
    );
  };
  return () => {
    if (performance.now() >= until) {
      until = Infinity; // while it runs
      latest = run();
    }
    return latest ?? Promise.resolve({});
  };
}

async function failureOf(check: () => unknown): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`took longer than ${DEADLINE_MS} ms`), DEADLINE_MS);
  });
  try {
    const result = await Promise.race([(async () => check())().then((ok) => ok !== false), late]);
    if (typeof result === 'string') return result;
    return result ? undefined : 'gave false';
  } catch (error) {
    return messageOf(error);
  } finally {
    clearTimeout(timer);
  }
}
