import { oneAtATime } from '../metrics/one-at-a-time.js';
import { rest } from '../metrics/slices.js';
import type { PrimaryMessage, WorkerMessage } from './messages.js';

/** Of an exposition's bytes per message: the primary is never busy for longer than one takes. */
const CHUNK = 128 * 1024;

/** How long a worker waits for the primary's whole answer. */
const TIMEOUT_MS = 2_000;

/**
 * The primary's side: sends an exposition in parts, each when the one before was taken, so that a worker that does not
 * read costs one part of memory.
 * @param send calls back when the message was taken, or with the error when it can't be
 */
export function sendExposition(
  exposition: Buffer,
  id: number,
  send: (message: PrimaryMessage, taken: (err: Error | null) => void) => void,
): void {
  const sendFrom = (start: number): void => {
    const end = start + CHUNK;
    const last = end >= exposition.length;
    send({ type: 'exposition', id, bytes: exposition.subarray(start, end), last }, (err) => {
      if (!err && !last) setImmediate(sendFrom, end);
    });
  };
  sendFrom(0);
}

type Answer = Extract<PrimaryMessage, { type: 'exposition' | 'exposition-failed' }>;

interface Scrape {
  readonly id: number;
  readonly parts: Uint8Array[];
  readonly resolve: (exposition: Buffer) => void;
  readonly reject: (err: Error) => void;
}

/** A worker's side: gets the exposition of the whole service from the primary. */
export class RemoteGatherer {
  readonly #send: (message: WorkerMessage) => void;
  readonly #timeoutMs: number;
  #scrapes = 0;
  #current: Scrape | undefined;
  readonly #shared = oneAtATime(() => this.#scrape());
  #turn = Promise.resolve();

  constructor(send: (message: WorkerMessage) => void, timeoutMs = TIMEOUT_MS) {
    this.#send = send;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * One scrape runs at a time. Calls that come meanwhile share the next one: the running one could miss a response
   * that was answered before the call. They get it one by one, a millisecond apart, so that requests which are not scrapes have
   * their turn in between. Rejects when the primary fails or does not answer in time.
   */
  async gather(): Promise<Buffer> {
    const exposition = await this.#shared();
    this.#turn = this.#turn.then(rest);
    await this.#turn;
    return exposition;
  }

  /** Takes a message of the primary that answers a scrape; one that is too late is ignored. */
  receive(message: Answer): void {
    const scrape = this.#current;
    if (scrape?.id !== message.id) return;
    if (message.type === 'exposition-failed') return scrape.reject(new Error(message.message));
    scrape.parts.push(message.bytes);
    if (message.last) scrape.resolve(Buffer.concat(scrape.parts));
  }

  async #scrape(): Promise<Buffer> {
    const id = ++this.#scrapes;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        const timeout = () => reject(new Error(`The primary did not answer within ${this.#timeoutMs} ms`));
        timer = setTimeout(timeout, this.#timeoutMs);
        this.#current = { id, parts: [], resolve, reject };
        this.#send({ type: 'scrape', id });
      });
    } finally {
      clearTimeout(timer);
      this.#current = undefined;
    }
  }
}
