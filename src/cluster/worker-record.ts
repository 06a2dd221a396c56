import type { ConnectionHandle } from '../server/connection-handle.js';
import type { PrimaryMessage } from './messages.js';
import type { ExitReason } from './restart-policy.js';
import type { WearLimit } from './worker-wear.js';

/** A forked process, as far as the supervisor is concerned. */
export interface WorkerHandle {
  readonly pid: number | undefined;
  send(message: PrimaryMessage): void;
  /** Gives it a connection to serve. */
  give(connection: ConnectionHandle): void;
  /** Ends it at once (SIGKILL). */
  kill(): void;
}

export const WORKER_STATES = ['starting', 'ready', 'draining'] as const;
export type WorkerState = (typeof WORKER_STATES)[number];

/** Signals by which a process ends itself: abort, which is also Node's end when the heap is full, and illegal operations. */
const OWN_SIGNALS: ReadonlySet<string> = new Set([
  'SIGABRT',
  'SIGSEGV',
  'SIGBUS',
  'SIGILL',
  'SIGFPE',
  'SIGTRAP',
]);

/** One worker as the supervisor knows it. All times are monotonic milliseconds. */
export class WorkerRecord {
  state: WorkerState = 'starting';
  /** Infinity before it is ready. */
  readyAt = Infinity;
  lastHeard: number;
  /** It is to go, and serves on until its replacement is ready. */
  retiring: 'reloaded' | 'failing' | 'recycled' | undefined;
  /** The limit of its life that it has reached, and when. */
  wornBy: WearLimit | undefined;
  wornAt = Infinity;
  bootError: string | undefined;
  #drainBy = Infinity;
  #ended: ExitReason | undefined;

  constructor(
    readonly generation: number,
    readonly forkedAt: number,
    readonly process: WorkerHandle,
  ) {
    this.lastHeard = forkedAt;
  }

  /** It needs no replacement. One that has been ended does when its exit is known: that may have to wait for a backoff. */
  get staying(): boolean {
    return this.state !== 'draining' && this.retiring === undefined;
  }

  /**
   * Asks it to finish what it has and to go.
   * @param drainBy when it is ended if it has not gone
   * @param handOver whether others stay, to which its connections can go
   */
  drain(graceMs: number, timeoutMs: number, drainBy: number, handOver: boolean): void {
    this.state = 'draining';
    this.#drainBy = drainBy;
    this.process.send({ type: 'drain', graceMs, timeoutMs, handOver });
  }

  /** Brings the deadline of a draining worker forward. */
  drainSooner(drainBy: number): void {
    this.#drainBy = Math.min(this.#drainBy, drainBy);
  }

  /** Ends it; the reason is what its exit is counted as. */
  end(reason: ExitReason): void {
    this.#ended ??= reason;
    this.process.kill();
  }

  /** Why it has to be ended now, if it has to. */
  overdue(now: number, workerTimeoutMs: number): ExitReason | undefined {
    if (this.#ended !== undefined) return undefined;
    if (this.state === 'starting') return now - this.forkedAt > workerTimeoutMs ? 'boot_failed' : undefined;
    // A worker keeps its own, earlier deadline for draining: it missed that because its event loop is stuck.
    return now - this.lastHeard > workerTimeoutMs || now > this.#drainBy ? 'hung' : undefined;
  }

  /** What its exit counts as. */
  exitReason(code: number | null, signal: string | null): ExitReason {
    if (this.state === 'starting') return 'boot_failed';
    if (this.retiring === 'failing') return 'crashed';
    if (this.#ended !== undefined) return this.#ended;
    if (signal !== null) return OWN_SIGNALS.has(signal) ? 'crashed' : 'killed';
    if (this.state !== 'draining' || code !== 0) return 'crashed';
    return this.retiring === 'recycled' ? 'recycled' : 'drained';
  }
}
