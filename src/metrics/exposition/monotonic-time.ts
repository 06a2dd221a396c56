/**
 * Returns the milliseconds of a clock that never goes back and that all processes of a host
 * share, unlike `performance.now()`.
 */
export function monotonicTime(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
