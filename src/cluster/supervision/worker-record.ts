import type { ConnectionHandle } from '../../server/connection-handle.js';
import type { RequestInFlight } from '../../metrics/ledger/requests-in-flight.js';
import type { PrimaryMessage } from '../messages.js';
import type { ExitReason, WorkerState } from '../../metrics/supervision-metrics.js';
import type { Vitals } from '../control/vitals.js';
import type { WearLimit } from './worker-wear.js';

/** A forked process, as far as the supervisor is concerned. */
export interface WorkerHandle {
  readonly pid: number | undefined;
  /** Milliseconds that it was ready to run and had no processor; never falls. */
  waitedForProcessor(): number;
  /** The requests that it had not answered when it ended. */
  inFlight(): readonly RequestInFlight[];
  send(message: PrimaryMessage): void;
  /** Gives it a connection to serve. */
  give(connection: ConnectionHandle): void;
  /** Ends it at once (SIGKILL). */
  kill(): void;
}

/** Signals by which a process ends itself: abort, which is also Node's end when the heap is full, and illegal operations. */
const OWN_SIGNALS: ReadonlySet<string> = new Set([
  'SIGABRT',
  'SIGSEGV',
  'SIGBUS',
  'SIGILL',
  'SIGFPE',
  'SIGTRAP',
]);

/** Holds what the supervisor knows of one worker. All times are monotonic milliseconds. */
export class WorkerRecord {
  state: WorkerState = 'starting';
  /** Infinity before it is ready. */
  readyAt = Infinity;
  lastHeard: number;
  /** Why it is to go; it serves on until its replacement is ready. */
  retiring: 'reloaded' | 'failing' | 'recycled' | undefined;
  /** The limit of its life that it has reached, and when. */
  wornBy: WearLimit | undefined;
  wornAt = Infinity;
  bootError: string | undefined;
  /** As it last said, while somebody looks. */
  vitals: { readonly at: number; readonly values: Vitals } | undefined;
  #waited = 0;
  #drainBy = Infinity;
  #ended: ExitReason | undefined;

  constructor(
    readonly generation: number,
    readonly forkedAt: number,
    readonly process: WorkerHandle,
    /** Which one of the wanted workers it is, from 1: a replacement takes the place of the one that goes. */
    readonly place: number,
    /** How many were in this place before. */
    readonly restarts: number,
  ) {
    this.lastHeard = forkedAt;
  }

  /** Moves its deadlines by the time in which it could not have been heard, whatever it did. */
  excuse(ms: number): void {
    this.lastHeard += ms;
    this.#drainBy += ms;
  }

  /**
   * Excuses the time in which it waited for a processor while it boots. Many that boot on a host with few processors
   * starve each other, and would be killed in turn for it.
   */
  excuseStarvation(): void {
    const waited = this.process.waitedForProcessor();
    this.excuse(waited - this.#waited);
    this.#waited = waited;
  }

  /** Whether it needs no replacement. One that has been ended does when its exit is known: that may have to wait for a backoff. */
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
    const silent = now - this.lastHeard > workerTimeoutMs;
    if (this.state === 'starting') return silent ? 'boot_failed' : undefined;
    // A worker keeps its own, earlier deadline for draining: it missed that because its event loop is stuck.
    return silent || now > this.#drainBy ? 'hung' : undefined;
  }

  /** Classifies its exit. */
  exitReason(code: number | null, signal: string | null): ExitReason {
    if (this.state === 'starting') return 'boot_failed';
    if (this.retiring === 'failing') return 'crashed';
    if (this.#ended !== undefined) return this.#ended;
    if (signal !== null) return OWN_SIGNALS.has(signal) ? 'crashed' : 'killed';
    if (this.state !== 'draining' || code !== 0) return 'crashed';
    return this.retiring === 'recycled' ? 'recycled' : 'drained';
  }
}
