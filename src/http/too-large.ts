import { Problem } from './problem.js';

/**
 * The 413 for a body above its limit. The rest of it is not read: if it were not closed, the connection's next request would be
 * looked for in it.
 */
export function tooLarge(limit: number): Problem {
  return new Problem(413, `The body is too large: it may have ${limit} bytes.`, {
    headers: { Connection: 'close' },
  });
}
