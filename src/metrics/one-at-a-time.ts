/**
 * Makes a function of which one call runs at a time. Calls that come while it runs share the next one, because what the running
 * one gives may be older than they are.
 */
export function oneAtATime<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const after = async (previous: Promise<T> | undefined): Promise<T> => {
    await previous?.catch(() => {});
    running = next;
    next = undefined;
    return run();
  };
  return () => (next ??= after(running));
}
