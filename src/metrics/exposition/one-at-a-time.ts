import { setTimeout as delay } from 'node:timers/promises';

/**
 * Makes a function of which one call runs at a time. Calls during a run share the next one, because the
 * result of the running one may be older than the call.
 * @param intervalMs the fewest milliseconds between the beginnings of two runs; calls that
 *   come too soon share one, too
 */
export function oneAtATime<T>(run: () => Promise<T>, intervalMs = 0): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  let notBefore = -Infinity;
  const start = (): Promise<T> => {
    notBefore = performance.now() + intervalMs;
    return (running = run().finally(() => (running = undefined)));
  };
  const startNext = async (): Promise<T> => {
    await running?.catch(() => {});
    const early = notBefore - performance.now();
    if (early > 0) await delay(Math.ceil(early)); // it drops the part of a millisecond
    next = undefined;
    return start();
  };
  return () => {
    if (next) return next;
    return running || performance.now() < notBefore ? (next = startNext()) : start();
  };
}
