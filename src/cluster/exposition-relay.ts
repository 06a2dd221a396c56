import type { Exposition } from '../metrics/exposition/gatherer.js';
import { monotonicTime } from '../metrics/exposition/monotonic-time.js';
import { Turns } from '../metrics/event-loop-turns.js';
import type { PrimaryMessage, Wanted } from './messages.js';

/** Bytes per message; bounds how long one send blocks the primary. */
const CHUNK = 128 * 1024;

/**
 * Milliseconds that a worker waits for the primary's whole answer: half of what Prometheus waits by default.
 * On a host without a free processor the primary may need more than two seconds.
 */
const TIMEOUT_MS = 5_000;

/**
 * Sends an exposition from the primary in parts, each after the one before was taken: a worker that does not
 * read costs the memory of one part.
 * @param send calls back when the message was taken, or with the error if it can't be sent
 */
export function sendExposition(
  { bytes, asOf }: Exposition,
  id: number,
  send: (message: PrimaryMessage, taken: (err: Error | null) => void) => void,
): void {
  const sendFrom = (start: number): void => {
    const end = start + CHUNK;
    const last = end >= bytes.length;
    send({ type: 'exposition', id, asOf, bytes: bytes.subarray(start, end), last }, (err) => {
      if (!err && !last) setImmediate(sendFrom, end);
    });
  };
  sendFrom(0);
}

type Answer = Extract<PrimaryMessage, { type: 'exposition' | 'exposition-failed' }>;

interface Scrape {
  readonly parts: Uint8Array[];
  readonly resolve: (exposition: Exposition) => void;
  readonly reject: (err: Error) => void;
}

/** Gets the exposition of the whole service from the primary, in a worker. */
export class RemoteGatherer<W extends Wanted = Wanted> {
  readonly #send: (message: { readonly type: 'scrape'; readonly id: number; readonly format: W }) => void;
  readonly #timeoutMs: number;
  readonly #turns = new Turns();
  #scrapes = 0;
  /** Scrapes that wait for the primary, by id. */
  readonly #pending = new Map<number, Scrape>();
  readonly #running = new Map<W, Promise<Exposition>>();

  constructor(
    send: (message: { readonly type: 'scrape'; readonly id: number; readonly format: W }) => void,
    timeoutMs = TIMEOUT_MS,
  ) {
    this.#send = send;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Resolves with an exposition whose gathering began after this call. Calls that wait for the same format
   * share one scrape; a call during a running one waits for the next, since the running one could miss a
   * response that was answered before the call. Waiting calls resolve a millisecond apart, so that other
   * requests get their turn. Rejects if the primary fails or does not answer in time.
   */
  async gather(format: W): Promise<Buffer> {
    const running = this.#running.get(format);
    const { bytes } = await (running ? this.#share(running, format) : this.#start(format));
    await this.#turns.next();
    return bytes;
  }

  /** Takes in a message of the primary. One that comes after its scrape's deadline is ignored. */
  receive(message: Answer): void {
    const scrape = this.#pending.get(message.id);
    if (!scrape) return;
    if (message.type === 'exposition-failed') return scrape.reject(new Error(message.message));
    scrape.parts.push(message.bytes);
    if (message.last) scrape.resolve({ bytes: Buffer.concat(scrape.parts), asOf: message.asOf });
  }

  async #share(running: Promise<Exposition>, format: W): Promise<Exposition> {
    const called = monotonicTime();
    const exposition = await running.catch(() => undefined);
    return exposition && exposition.asOf >= called
      ? exposition
      : (this.#running.get(format) ?? this.#start(format));
  }

  #start(format: W): Promise<Exposition> {
    const running = this.#scrape(format).finally(() => this.#running.delete(format));
    this.#running.set(format, running);
    return running;
  }

  async #scrape(format: W): Promise<Exposition> {
    const id = ++this.#scrapes;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        const timeout = () => reject(new Error(`The primary did not answer within ${this.#timeoutMs} ms`));
        timer = setTimeout(timeout, this.#timeoutMs);
        this.#pending.set(id, { parts: [], resolve, reject });
        this.#send({ type: 'scrape', id, format });
      });
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }
}
