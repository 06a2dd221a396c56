import { Problem } from '../problem.js';

/**
 * A problem with the bytes of a body. It is thrown while a handler reads them, and is
 * still not the handler's answer.
 */
export class BodyProblem extends Problem {}

/**
 * Makes the 413 for a body above its limit. It closes the connection: the rest of the body is not read, and
 * would be taken for the connection's next request.
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
