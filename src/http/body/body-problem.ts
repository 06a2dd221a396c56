import { Problem } from '../problem.js';

/** What is wrong with the bytes of a body. It is no answer of the handler, which only was the one who read them. */
export class BodyProblem extends Problem {}

/**
 * The 413 for a body above its limit. The rest of it is not read: if it were not closed, the connection's next request would be
 * looked for in it.
 */
export function tooLarge(limit: number): BodyProblem {
  return new BodyProblem(413, `The body is too large: it may have ${limit} bytes.`, {
    headers: { Connection: 'close' },
  });
}

export function unreadable(cause?: unknown): BodyProblem {
  const detail = 'The body could not be read: it is cut off or its Content-Encoding is broken.';
  return new BodyProblem(400, detail, { cause });
}
