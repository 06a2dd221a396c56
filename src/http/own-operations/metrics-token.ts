import { createHash, timingSafeEqual } from 'node:crypto';

/** The security scheme of `/metrics`. */
export const METRICS_SCHEME = 'metricsToken';

/**
 * Makes the check of METRICS_TOKEN; without one, no token is valid. It takes the same time for every guess.
 */
export function metricsTokenCheck(token: string | undefined): (given: string) => 'scraper' | undefined {
  const expected = token === undefined ? undefined : digest(token);
  return (given) => (expected && timingSafeEqual(expected, digest(given)) ? 'scraper' : undefined);
}

/** Makes a digest: `timingSafeEqual` needs two texts of one length. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
