import type { ConnectionHandle } from '../../server/connection-handle.js';
import type { RequestInFlight } from '../../metrics/ledger/requests-in-flight.js';
import type { PrimaryMessage, WorkerMessage } from '../messages.js';
import type { ExitReason, WorkerState } from '../../metrics/supervision-metrics.js';
import type { Vitals } from '../../metrics/worker-status.js';
import type { WearLimit } from './worker-wear.js';

/** A forked process, with the actions that the supervisor needs. */
export interface WorkerHandle {
  readonly pid: number | undefined;
  /** Returns the milliseconds that the process has waited for a processor; never falls. */
  waitedForProcessor(): number;
  /** Returns the requests that the process had not answered when it ended. */
  inFlight(): readonly RequestInFlight[];
  send(message: PrimaryMessage): void;
  /** Gives the process a connection to serve. */
  give(connection: ConnectionHandle): void;
  /** Ends the process at once (SIGKILL). */
  kill(): void;
}

/**
 * Signals by which a process ends itself: abort, which Node also sends when the heap is
 * full, and illegal operations.
 */
const OWN_SIGNALS: ReadonlySet<string> = new Set([
  'SIGABRT',
  'SIGSEGV',
  'SIGBUS',
  'SIGILL',
  'SIGFPE',
  'SIGTRAP',
]);

/** The supervisor's record of one worker. All times are monotonic milliseconds. */
export class WorkerRecord {
  state: WorkerState = 'starting';
  /** The time at which the worker was ready; Infinity before. */
  readyAt = Infinity;
  lastHeard: number;
  /** The reason why the worker is being replaced. It serves on until its replacement is ready. */
  retiring: 'reloaded' | 'failing' | 'recycled' | undefined;
  /** The first limit of its life that the worker has reached, and when. */
  wornBy: WearLimit | undefined;
  wornAt = Infinity;
  bootError: string | undefined;
  /** The last reading, made while somebody looked. */
  vitals: { readonly at: number; readonly values: Vitals } | undefined;
  #waited = 0;
  #hears = false;
  #drainBy = Infinity;
  #ended: ExitReason | undefined;

  constructor(
    readonly generation: number,
    readonly forkedAt: number,
    readonly process: WorkerHandle,
    /**
     * The number of its place among the wanted workers, from 1. A replacement takes the
     * place of the worker that goes.
     */
    readonly place: number,
    /** The number of workers that had this place before. */
    readonly restarts: number,
    /** Whether the worker only loads its code until it is told to begin. */
    private waits: boolean,
    /**
     * Milliseconds that it may be silent. They are those with which it started: its heartbeats follow them.
     */
    private readonly timeoutMs: number,
  ) {
    this.lastHeard = forkedAt;
  }

  /** Lets a worker that waits go on. Its time begins. */
  begin(now: number): void {
    if (!this.waits) return;
    this.waits = false;
    this.lastHeard = now;
    if (this.#hears) this.process.send({ type: 'begin' });
  }

  /** Takes in that a worker that waits can be told to begin. */
  hears(): void {
    this.#hears = true;
    if (!this.waits) this.process.send({ type: 'begin' });
  }

  /** Takes in a sign of life. Time that the worker has asked for lasts until its next heartbeat. */
  heard(message: WorkerMessage, now: number): void {
    if (message.type === 'busy') this.lastHeard = now + message.ms;
    else if (message.type === 'heartbeat') this.lastHeard = now;
    else this.lastHeard = Math.max(this.lastHeard, now);
  }

  /** Moves the deadlines by a time in which the worker could not have been heard, whatever it did. */
  excuse(ms: number): void {
    this.lastHeard += ms;
    this.#drainBy += ms;
  }

  /**
   * Excuses the time for which the booting worker waited for a processor. Many that boot on a host with few
   * processors starve each other, and would be killed in turn for it.
   */
  excuseStarvation(): void {
    const waited = this.process.waitedForProcessor();
    this.excuse(waited - this.#waited);
    this.#waited = waited;
  }

  /**
   * Whether the worker needs no replacement. One that was killed counts as staying until its exit is known:
   * its replacement may have to wait for a backoff.
   */
  get staying(): boolean {
    return this.state !== 'draining' && this.retiring === undefined;
  }

  /**
   * Asks the worker to finish its requests and to exit.
   * @param drainBy the time at which it is killed if it has not exited
   * @param handOver whether other workers stay, to which its connections can go
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

  /** Kills the worker. Its exit is counted under this reason. */
  end(reason: ExitReason): void {
    this.#ended ??= reason;
    this.process.kill();
  }

  /** Returns the reason for which the worker must be killed now; undefined if there is none. */
  overdue(now: number): ExitReason | undefined {
    if (this.#ended !== undefined || this.waits) return undefined;
    const silent = now - this.lastHeard > this.timeoutMs;
    if (this.state === 'starting') return silent ? 'boot_failed' : undefined;
    // A worker keeps its own, earlier deadline for draining: one that misses it has a stuck event loop.
    return silent || now > this.#drainBy ? 'hung' : undefined;
  }

  /** Returns the reason under which an exit is counted. */
  exitReason(code: number | null, signal: string | null): ExitReason {
    if (this.state === 'starting') return this.#ended ?? 'boot_failed';
    if (this.retiring === 'failing') return 'crashed';
    if (this.#ended !== undefined) return this.#ended;
    if (signal !== null) return OWN_SIGNALS.has(signal) ? 'crashed' : 'killed';
    if (this.state !== 'draining' || code !== 0) return 'crashed';
    return this.retiring === 'recycled' ? 'recycled' : 'drained';
  }
}
