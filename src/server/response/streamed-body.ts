import type { ServerResponse } from 'node:http';
import { errorOf } from '../../thrown.js';

export type WriteCallback = (error: Error | null | undefined) => void;

/**
 * A body that is written in parts. Its last steps wait while the socket still has earlier parts to send: the
 * client may leave before, which makes it a 499.
 */
export class StreamedBody {
  /** Bytes that are still missing to its Content-Length; NaN without one. */
  #missing: number;
  /** The number of parts that the socket has not taken yet. */
  #unflushed = 0;
  readonly #held: (() => unknown)[] = [];
  readonly #response: ServerResponse;
  readonly #count: () => boolean;

  /**
   * @param given the headers that `writeHead` was given, which `getHeader` does not know
   * @param count counts the answer before its last step; returns false if that has to wait
   */
  constructor(response: ServerResponse, given: unknown, count: () => boolean) {
    this.#missing = Number(response.getHeader('content-length') ?? contentLengthIn(given) ?? NaN);
    this.#response = response;
    this.#count = count;
  }

  /** Takes note of a part. Returns whether the body is complete with it. */
  isEndedBy(bytes: number): boolean {
    this.#missing -= bytes;
    return this.#missing <= 0;
  }

  /** Takes note of a part that is handed to the socket. Returns the callback of its write. */
  sent(done: WriteCallback | undefined): WriteCallback {
    this.#unflushed += 1;
    return (error) => {
      this.#unflushed -= 1;
      done?.(error);
      if (!error) this.release();
    };
  }

  /** Does the last step, now or when the socket has taken the parts before. Returns true, as a write does. */
  last(step: () => unknown): true {
    this.#held.push(step);
    this.#doNext();
    return true;
  }

  /**
   * Does the last steps if they need not wait any more. Node may refuse one, and its caller has gone on: that
   * ends the answer.
   */
  release(): void {
    try {
      this.#doNext();
    } catch (thrown) {
      this.#response.destroy(errorOf(thrown));
    }
  }

  #doNext(): void {
    while (this.#unflushed === 0 && this.#held.length > 0 && this.#count()) this.#held.shift()?.();
  }
}

/** Returns the bytes of a chunk that is written. */
export function byteLength(chunk: unknown, encoding: BufferEncoding | WriteCallback | undefined): number {
  if (typeof chunk === 'string')
    return Buffer.byteLength(chunk, typeof encoding === 'string' ? encoding : 'utf8');
  return chunk instanceof Uint8Array ? chunk.byteLength : 0;
}

function contentLengthIn(headers: unknown): unknown {
  if (typeof headers !== 'object' || headers === null) return undefined;
  if (Array.isArray(headers)) return headers[headers.findIndex(isLength) + 1 || headers.length];
  return Object.entries(headers).find(([name]) => isLength(name))?.[1];
}

function isLength(name: unknown): boolean {
  return String(name).toLowerCase() === 'content-length';
}
