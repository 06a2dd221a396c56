import { type Socket, connect } from 'node:net';
import { LoadConnection, type Outcome } from './load-connection';

export interface LoadOptions {
  /** The port on 127.0.0.1, or a function that opens a connection. */
  readonly port: number | (() => Socket);
  /** Requests a second, whether the service keeps up or not. */
  readonly rate: number;
  /** Keep-alive connections, opened one a request and then used in turn; 'each': a new connection for every request. */
  readonly connections: number | 'each';
  /** Default `/`. Called once a request, with its number. */
  readonly path?: string | ((index: number) => string);
  /** Milliseconds after which a request without an answer is given up and its connection destroyed. Default 10000. */
  readonly timeoutMs?: number;
}

export interface LoadReport {
  readonly sent: number;
  /** The number of requests by outcome; together they are `sent`. */
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** Answered requests by status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Connections that were opened. */
  readonly opened: number;
  /** Answers that nobody asked for, and answers that are not HTTP. */
  readonly surplus: number;
  /** Milliseconds from the moment a request was due to its whole answer, ascending. Answered ones only. */
  readonly latencies: readonly number[];
  /** The first 1000 requests that were not answered. */
  readonly failures: readonly Failure[];
}

export interface Failure {
  readonly outcome: Outcome;
  readonly path: string;
  /**
   * The time when its connection was opened, by `performance.now()`, and the number of answers on it before.
   */
  readonly openedAt: number;
  readonly answersBefore: number;
  /** A line that shows the request to a person. */
  readonly text: string;
}

interface Due {
  readonly at: number;
  readonly path: string;
}

/**
 * Paced open-loop load on 127.0.0.1, unless told otherwise: a request is due every 1/rate seconds and waits for a free connection, its wait being
 * part of its latency. Every request gets exactly one outcome and none is ever sent twice. A connection is not used again
 * after an answer with `Connection: close`.
 */
export class Load {
  readonly #options: Required<LoadOptions>;
  readonly #connections = new Set<LoadConnection>();
  readonly #idle: LoadConnection[] = [];
  readonly #waiting: Due[] = [];
  readonly #started = performance.now();
  readonly #outcomes: Record<Outcome, number> = {
    answered: 0,
    unanswered: 0,
    cut: 0,
    'timed out': 0,
    refused: 0,
  };
  readonly #statuses = new Map<number, number>();
  readonly #latencies: number[] = [];
  readonly #failures: Failure[] = [];
  #sent = 0;
  #surplus = 0;
  #opened = 0;
  #inFlight = 0;
  #scheduled = false;
  #ended: { resolve: () => void } | undefined;
  readonly #pacer: NodeJS.Timeout;

  constructor(options: LoadOptions) {
    this.#options = { path: '/', timeoutMs: 10_000, ...options };
    this.#pacer = setInterval(() => this.#assignSoon(), 1);
  }

  /** Requests that were due so far, sent or still waiting for a connection. */
  get made(): number {
    return this.#sent;
  }

  /** Requests that were answered so far. */
  get answered(): number {
    return this.#outcomes.answered;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * Makes no further requests, drops those that still wait for a connection, waits until each one sent has its outcome,
   * and closes the connections.
   */
  async stop(): Promise<LoadReport> {
    this.#sent -= this.#waiting.splice(0).length;
    await new Promise<void>((resolve) => {
      this.#ended = { resolve };
      this.#settle();
    });
    clearInterval(this.#pacer);
    for (const connection of this.#connections) connection.destroy();
    return {
      sent: this.#sent,
      outcomes: { ...this.#outcomes },
      statuses: this.#statuses,
      opened: this.#opened,
      surplus: this.#surplus,
      latencies: this.#latencies.toSorted((a, b) => a - b),
      failures: this.#failures,
    };
  }

  #pace(): void {
    const { path, rate } = this.#options;
    const elapsed = (performance.now() - this.#started) / 1000;
    const due = this.#ended === undefined ? Math.floor(elapsed * rate) + 1 : this.#sent;
    while (this.#sent < due) {
      const at = this.#started + (this.#sent / rate) * 1000;
      this.#waiting.push({ at, path: typeof path === 'string' ? path : path(this.#sent) });
      this.#sent += 1;
    }
    this.#assign();
  }

  /**
   * Assigns waiting requests after the next poll for input: a connection whose end has arrived must
   * not be used again. Without this the lag of this process would look like a race between the
   * service's close and a request.
   */
  #assignSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pace();
    });
  }

  #assign(): void {
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined) return;
      const connection = this.#open() ?? this.#idle.shift();
      if (connection === undefined) return;
      this.#waiting.shift();
      this.#inFlight += 1;
      connection.send(next.path, this.#options.timeoutMs, (outcome, status) =>
        this.#record(next, connection, outcome, status),
      );
    }
  }

  #open(): LoadConnection | undefined {
    const { connections, port } = this.#options;
    if (connections !== 'each' && this.#connections.size >= connections) return undefined;
    const connection = new LoadConnection(
      typeof port === 'function' ? port() : connect({ port, host: '127.0.0.1', noDelay: true }),
      {
        keepAlive: connections !== 'each',
        closed: () => {
          this.#connections.delete(connection);
          const at = this.#idle.indexOf(connection);
          if (at >= 0) this.#idle.splice(at, 1);
        },
        surplus: () => {
          this.#surplus += 1;
        },
      },
    );
    this.#connections.add(connection);
    this.#opened += 1;
    return connection;
  }

  #record(due: Due, connection: LoadConnection, outcome: Outcome, status: number | undefined): void {
    this.#inFlight -= 1;
    this.#outcomes[outcome] += 1;
    const now = performance.now();
    if (status !== undefined) {
      this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
      this.#latencies.push(now - due.at);
    } else if (this.#failures.length < 1000) {
      const { path } = due;
      const { openedAt, answers: answersBefore, history } = connection;
      const text = `${path} ${outcome} after ${(now - due.at).toFixed(1)} ms, ${history}`;
      this.#failures.push({ outcome, path, openedAt, answersBefore, text });
    }
    if (connection.reusable) this.#idle.push(connection);
    this.#assignSoon();
    this.#settle();
  }

  #settle(): void {
    if (this.#inFlight === 0) this.#ended?.resolve();
  }
}

/** The value below which `share` (0–1) of the ascending values lie; NaN when there are none. */
export function percentile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN;
}

/** Requests that were sent and not answered. */
export function failed({ sent, outcomes }: LoadReport): number {
  return sent - outcomes.answered;
}
