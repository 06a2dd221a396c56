import type { Socket } from 'node:net';
import { type Answer, AnswerParser } from './answer-parser';
import { requestBytes } from './exchange';

/**
 * The fate of a request. `unanswered`: the connection closed without a byte. `cut`: it closed inside the
 * answer, or the answer is not HTTP. `refused`: no connection could be made.
 */
export type Outcome = 'answered' | 'unanswered' | 'cut' | 'timed out' | 'refused';

interface Pending {
  readonly settle: (outcome: Outcome, status?: number) => void;
  readonly timer: NodeJS.Timeout;
  answered: boolean;
}

interface Events {
  readonly keepAlive: boolean;
  closed(): void;
  /** Bytes came that no request asked for. */
  surplus(): void;
}

/** A client connection with at most one request on it. */
export class LoadConnection {
  readonly #socket: Socket;
  readonly #parser = new AnswerParser((answer) => this.#onAnswer(answer));
  readonly #events: Events;
  readonly openedAt = performance.now();
  /** Answers that it has brought so far. */
  answers = 0;
  #connected = false;
  #open = true;
  #lastAnswer = 'no answer before';
  #pending: Pending | undefined;

  /** @param socket that is about to connect */
  constructor(socket: Socket, events: Events) {
    this.#events = events;
    this.#socket = socket;
    this.#socket.on('connect', () => {
      this.#connected = true;
    });
    this.#socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.#socket.on('end', () => this.#onEnd());
    // The reason is in the outcome; 'close' follows always.
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => this.#onClose());
  }

  /** Open, idle, and the service has not asked to close it. */
  get reusable(): boolean {
    return this.#open && this.#pending === undefined;
  }

  get history(): string {
    const age = (performance.now() - this.openedAt).toFixed(0);
    return `connection ${age} ms old with ${this.answers} answers (${this.#lastAnswer})`;
  }

  /** Sends one GET; `settle` is called exactly once with what became of it. */
  send(path: string, timeoutMs: number, settle: Pending['settle']): void {
    const timer = setTimeout(() => {
      this.#settle('timed out');
      this.destroy();
    }, timeoutMs);
    this.#pending = { settle, timer, answered: false };
    this.#parser.expect('GET');
    const headers = this.#events.keepAlive ? {} : { Connection: 'close' };
    this.#socket.write(requestBytes({ method: 'GET', path, headers }));
  }

  destroy(): void {
    this.#retire();
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.#pending === undefined) {
      this.#events.surplus();
      this.destroy();
      return;
    }
    try {
      this.#parser.push(chunk);
    } catch {
      this.#settle('cut');
      this.destroy();
    }
  }

  #onAnswer({ status, headers }: Answer): void {
    if (this.#pending === undefined) return; // It was counted with the answer before it.
    if (this.#parser.partial) {
      this.#events.surplus();
      this.destroy();
    }
    const closing = headers.get('connection')?.toLowerCase() === 'close';
    this.answers += 1;
    this.#lastAnswer = `last answer at ${(performance.now() - this.openedAt).toFixed(0)} ms`;
    if (closing || !this.#events.keepAlive) {
      this.#retire();
      this.#socket.end();
    }
    this.#settle('answered', status);
  }

  #onEnd(): void {
    this.#parser.end();
    this.#retire();
  }

  #onClose(): void {
    this.#retire();
    if (!this.#connected) this.#settle('refused');
    else this.#settle(this.#parser.partial ? 'cut' : 'unanswered');
  }

  #retire(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#events.closed();
  }

  #settle(outcome: Outcome, status?: number): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    clearTimeout(pending.timer);
    pending.settle(outcome, status);
  }
}
