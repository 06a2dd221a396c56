/**
 * Makes a function of which one call runs at a time. Calls that come while it runs share the next one, because what the running
 * one gives may be older than they are.
 */
export function oneAtATime<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const start = (): Promise<T> => (running = run().finally(() => (running = undefined)));
  const startNext = (): Promise<T> => {
    next = undefined;
    return start();
  };
  return () => {
    // Between the end of one and the start of the next, too.
    if (next) return next;
    return running ? (next = running.then(startNext, startNext)) : start();
  };
}
