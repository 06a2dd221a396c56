import { setTimeout as delay } from 'node:timers/promises';

type Pending<T> = T | false | undefined;

/**
 * Asks `condition` every 20 ms until it gives something other than false and undefined, and returns that.
 * Throws when `deadlineMs` has passed; the error names `what` and the last error that the condition threw.
 */
export async function eventually<T>(
  what: string,
  deadlineMs: number,
  condition: () => Pending<T> | Promise<Pending<T>>,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    let cause: unknown;
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`, { cause });
    await delay(20);
  }
}
