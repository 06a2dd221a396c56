import type { Logger } from '../../log.js';
import { silentBootProblem } from '../../server/boot-problem.js';
import type { ExitReason, WorkerState } from '../../metrics/supervision-metrics.js';
import { WorkerRecord, type WorkerHandle } from './worker-record.js';
import type { WorkerMessage } from '../messages.js';
import { Recycling } from './recycling.js';
import { type ReloadDone, RollingReload } from './rolling-reload.js';
import { RestartHistory } from './restart-policy.js';

export type SupervisorEvent =
  | { readonly type: 'message'; readonly generation: number; readonly message: WorkerMessage }
  | {
      readonly type: 'exit';
      readonly generation: number;
      readonly code: number | null;
      readonly signal: string | null;
    }
  /** Demands that every worker is replaced, one at a time. */
  | { readonly type: 'reload'; readonly done?: ReloadDone }
  | { readonly type: 'stop' };

/** The options that a reload can change. */
export interface SupervisorSettings {
  readonly concurrency: number;
  readonly workerTimeoutMs: number;
  readonly shutdownDelayMs: number;
  readonly shutdownTimeoutMs: number;
}

export interface SupervisorOptions extends SupervisorSettings {
  /** The most workers that may boot at a time: more would starve each other. */
  readonly bootsAtOnce: number;
  readonly log: Logger;
  /**
   * Forks a worker. One that `waits` only loads its code until it is told to `begin`. Its end is
   * reported by an `exit` event, also if it could not start.
   */
  readonly fork: (generation: number, waits: boolean) => WorkerHandle;
  /** Called once, when all workers are ready for the first time. */
  readonly onReady: (address: string, port: number) => void;
  readonly onExit: (reason: ExitReason) => void;
  /** Called when a worker has lost lines of its log. */
  readonly onLinesLost: (lines: number) => void;
  /** Called when nothing is left to do; `message` says why the service could not start. */
  readonly onEnd: (code: number, message?: string) => void;
}

/**
 * Milliseconds that an idle connection may stay when its worker drains, so that a
 * request on its way is answered.
 */
const RELOAD_GRACE_MS = 2_000;
const STOP_GRACE_MS = 1_000;

/**
 * Milliseconds that a booting worker has to exit when the service stops. One that has begun
 * to listen may have taken connections: it gets ready, and drains.
 */
const BOOT_GRACE_MS = 500;

/** Milliseconds that a draining worker has for its goodbye, after its own deadline. */
const GOODBYE_MS = 2_000;

/** The most workers that are forked before the service has shown that it can start. */
const FIRST_FORKS = 2;

/** The most milliseconds between two checks of the workers. */
const CHECK_MS = 250;

/**
 * Keeps the wanted number of workers alive. `enqueue` only notes events; `step` takes them in,
 * and then moves the workers one step towards what is wanted. It has no clock: all times are
 * monotonic milliseconds, passed in.
 */
export class Supervisor {
  #options: SupervisorOptions;
  readonly #log: Logger;
  readonly #workers = new Map<number, WorkerRecord>();
  readonly #events: SupervisorEvent[] = [];
  readonly #reload: RollingReload;
  readonly #recycling: Recycling;
  /** The number of forks so far, by place. */
  readonly #forks = new Map<number, number>();
  readonly #history = new RestartHistory();
  #generation = 0;
  #inherited = 0;
  #waitLogged = 0;
  /**
   * The first worker shows whether the service can start at all. The next one loads its code meanwhile and
   * waits; the others follow when the first is ready.
   */
  #up = false;
  #announced = false;
  #stopAt = Infinity;
  #wakeAt = Infinity;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#reload = new RollingReload(options.log);
    this.#recycling = new Recycling(options.log);
  }

  /** Changes the settings from the next step on. */
  configure({ concurrency, workerTimeoutMs, shutdownDelayMs, shutdownTimeoutMs }: SupervisorSettings): void {
    this.#options = { ...this.#options, concurrency, workerTimeoutMs, shutdownDelayMs, shutdownTimeoutMs };
  }

  /** Notes an event for the next step. */
  enqueue(event: SupervisorEvent): void {
    this.#events.push(event);
  }

  /** Returns the workers, oldest first. */
  workers(): WorkerRecord[] {
    return [...this.#workers.values()];
  }

  /** Returns a worker by its generation, or else by its pid. */
  find(number: number): WorkerRecord | undefined {
    return this.#workers.get(number) ?? this.workers().find(({ process }) => process.pid === number);
  }

  /** Counts the workers by state. */
  count(): Record<WorkerState, number> {
    const counts = { starting: 0, ready: 0, draining: 0 };
    for (const { state } of this.#workers.values()) counts[state]++;
    return counts;
  }

  /** Chooses the worker for the next connection that another worker leaves; undefined when there is none. */
  nextHeir(): WorkerHandle | undefined {
    const heirs = this.workers().filter(({ state, staying }) => state === 'ready' && staying);
    return heirs[this.#inherited++ % heirs.length]?.process;
  }

  /** Ends all workers at once. */
  killAll(): void {
    for (const worker of this.#workers.values()) worker.end('drained');
  }

  /**
   * Takes in the events, and then starts, replaces and ends workers.
   * @returns the time of the next call if no event comes before
   */
  step(now: number): number {
    // While this process is stopped or starved it hears nobody. Without this, it would kill all workers
    // after a stop of the whole host.
    const late = now - this.#wakeAt;
    if (late > 0) for (const worker of this.#workers.values()) worker.excuse(late);
    this.#wakeAt = now + Math.min(this.#options.workerTimeoutMs / 4, CHECK_MS);
    for (let event = this.#events.shift(); event; event = this.#events.shift()) this.#takeIn(event, now);
    this.#endOverdue(now);
    if (this.#stopAt < Infinity) {
      this.#stop(now);
    } else {
      if (this.#up) this.#reload.step(this.workers(), this.#generation + 1);
      this.#recycling.step(this.workers(), now);
      this.#fork(now);
      this.#retire(now);
    }
    return this.#wakeAt;
  }

  #takeIn(event: SupervisorEvent, now: number): void {
    switch (event.type) {
      case 'message':
        return this.#hear(event.generation, event.message, now);
      case 'exit':
        return this.#bury(event.generation, event.code, event.signal, now);
      case 'reload':
        // The exits of the old build say nothing about the new one.
        this.#history.forget();
        return this.#reload.start(this.#generation + 1, event.done);
      case 'stop':
        this.#stopAt = Math.min(this.#stopAt, now);
        this.#reload.abandon('The service is stopping.');
        for (const worker of this.#workers.values()) worker.process.send({ type: 'unready' });
    }
  }

  #hear(generation: number, message: WorkerMessage, now: number): void {
    const worker = this.#workers.get(generation);
    if (!worker) return;
    if (message.type === 'ready' && worker.state === 'starting') {
      worker.state = 'ready';
      worker.readyAt = now;
      this.#up = true;
      for (const other of this.#workers.values()) other.begin(now);
      this.#announce(message.address, message.port);
    } else if (message.type === 'waiting') {
      worker.hears();
    } else if (message.type === 'heartbeat' && message.vitals) {
      worker.vitals = { at: now, values: message.vitals };
    } else if (message.type === 'boot-failed') {
      worker.bootError = message.message;
    } else if (message.type === 'lines-lost') {
      this.#options.onLinesLost(message.lines);
    } else if (message.type === 'worn' && worker.wornBy === undefined) {
      worker.wornBy = message.limit;
      worker.wornAt = now;
    } else if (message.type === 'failing' && worker.state === 'ready' && worker.retiring !== 'failing') {
      worker.retiring = 'failing';
      this.#log.warn({ worker: generation, cause: message.message }, 'A worker fails and is being replaced');
      this.#remember('crashed', worker, now);
    }
    // A worker that boots gets no more time for its messages.
    if (worker.state !== 'starting') worker.heard(message, now);
  }

  #announce(address: string, port: number): void {
    if (this.#announced || this.#stopAt < Infinity || this.count().ready < this.#options.concurrency) return;
    this.#announced = true;
    this.#options.onReady(address, port);
  }

  #bury(generation: number, code: number | null, signal: string | null, now: number): void {
    const worker = this.#workers.get(generation);
    if (!worker || !this.#workers.delete(generation)) return;
    const dismissed = worker.state === 'starting' && this.#stopAt < Infinity;
    const reason = dismissed ? 'drained' : worker.exitReason(code, signal);
    // The service has given up: only one exit tells why.
    if (this.#stopAt === -Infinity) return;
    if (!this.#up && this.#stopAt === Infinity) return this.#giveUp(worker, code, signal);
    const inFlight = worker.process.inFlight();
    const level = reason === 'drained' || reason === 'recycled' ? 'info' : 'warn';
    this.#log[level](
      {
        worker: generation,
        workerPid: worker.process.pid,
        reason,
        code,
        signal,
        ...(inFlight.length > 0 && { inFlight }),
      },
      'A worker ended',
    );
    // A failing worker was remembered when it failed.
    if (worker.retiring !== 'failing') this.#remember(reason, worker, now, inFlight.length > 0);
    this.#options.onExit(reason);
    if (reason !== 'boot_failed') return;
    if (worker.bootError !== undefined) this.#log.error({ worker: generation }, worker.bootError);
    this.#reload.failed(generation, this.workers());
  }

  /** Ends the service because no worker ever got ready: more forks would not help. */
  #giveUp({ bootError }: WorkerRecord, code: number | null, signal: string | null): void {
    this.#stopAt = -Infinity;
    this.#options.onEnd(1, bootError ?? silentBootProblem(code, signal, this.#options.workerTimeoutMs));
  }

  #remember(reason: ExitReason, worker: WorkerRecord, now: number, serving = false): void {
    const readyForMs = worker.state === 'starting' ? 0 : now - worker.readyAt;
    this.#history.remember({ reason, at: now, readyForMs, serving });
  }

  /** Forks missing workers. No other place forks. */
  #fork(now: number): void {
    const wanted = this.#up ? this.#strength() : Math.min(this.#options.concurrency, FIRST_FORKS);
    const staying = this.workers().filter((worker) => worker.staying).length;
    const missing = Math.min(wanted - staying, this.#options.bootsAtOnce - this.count().starting);
    for (let forks = 0; forks < missing; forks++) {
      const youngest = this.workers().at(-1)?.readyAt;
      const notBefore = this.#history.forkNotBefore(now, youngest);
      if (now < notBefore) return this.#wait(now, notBefore);
      const generation = ++this.#generation;
      const place = this.#freePlace();
      const restarts = this.#forks.get(place) ?? 0;
      this.#forks.set(place, restarts + 1);
      const waits = !this.#up && this.#workers.size > 0;
      const { fork, workerTimeoutMs } = this.#options;
      const process = fork(generation, waits);
      const worker = new WorkerRecord(generation, now, process, place, restarts, waits, workerTimeoutMs);
      this.#workers.set(generation, worker);
    }
  }

  #freePlace(): number {
    const taken = new Set(this.workers().map(({ staying, place }) => (staying ? place : 0)));
    let place = 1;
    while (taken.has(place)) place++;
    return place;
  }

  #wait(now: number, notBefore: number): void {
    this.#wakeBy(notBefore, now);
    if (notBefore === Infinity || notBefore === this.#waitLogged) return;
    this.#waitLogged = notBefore;
    this.#log.warn(
      { delayMs: Math.round(notBefore - now) },
      'Workers end too soon: waiting before the next one',
    );
  }

  /** Returns the number of workers to keep. A reload to fewer takes none away before a new one is ready. */
  #strength(): number {
    return Math.max(this.#options.concurrency, this.#reload.unreplaced(this.workers()));
  }

  /** Drains the retiring workers whose replacement is ready. */
  #retire(now: number): void {
    const ready = this.workers().filter(({ state }) => state === 'ready');
    const spare = ready.length - this.#strength();
    // A reload to more workers that fails leaves some that are new.
    if (!this.#reload.isOn) for (const worker of this.#surplus(ready)) worker.retiring = 'reloaded';
    const retiring = ready.filter((worker) => worker.retiring !== undefined);
    for (const worker of retiring.slice(0, Math.max(spare, 0))) {
      const timeoutMs = this.#options.shutdownTimeoutMs;
      worker.drain(Math.min(RELOAD_GRACE_MS, timeoutMs / 2), timeoutMs, now + timeoutMs + GOODBYE_MS, true);
    }
  }

  /** Returns the youngest of the ready workers that nobody wants. */
  #surplus(ready: readonly WorkerRecord[]): readonly WorkerRecord[] {
    return ready.filter(({ staying }) => staying).slice(this.#options.concurrency);
  }

  /** Kills the workers that do not respond. */
  #endOverdue(now: number): void {
    for (const worker of this.#workers.values()) {
      if (worker.state === 'starting') worker.excuseStarvation();
      const reason = worker.overdue(now);
      if (reason === undefined) continue;
      const { generation, process, state } = worker;
      this.#log.error(
        { worker: generation, workerPid: process.pid, state },
        'A worker does not respond and is killed',
      );
      worker.end(reason);
    }
  }

  #stop(now: number): void {
    const { shutdownDelayMs, shutdownTimeoutMs } = this.#options;
    const drainAt = this.#stopAt + shutdownDelayMs;
    const restMs = shutdownTimeoutMs - shutdownDelayMs;
    const drainBy = drainAt + 0.97 * restMs;
    const bootedBy = Math.min(this.#stopAt + BOOT_GRACE_MS, drainBy);
    this.#wakeBy(now < drainAt ? drainAt : drainBy, now);
    this.#wakeBy(bootedBy, now);
    for (const worker of this.#workers.values()) {
      if (worker.state === 'starting') {
        if (now >= bootedBy) worker.end('drained');
      } else if (worker.state === 'draining') worker.drainSooner(drainBy);
      else if (now >= drainAt)
        worker.drain(Math.min(STOP_GRACE_MS, restMs / 2), drainAt + 0.9 * restMs - now, drainBy, false);
    }
    if (this.#workers.size === 0 && this.#stopAt > -Infinity) {
      this.#stopAt = -Infinity;
      this.#options.onEnd(0);
    }
  }

  /**
   * Makes the next step come by this time. A time that has passed has no effect, or waiting for
   * an exit would be a busy loop.
   */
  #wakeBy(time: number, now: number): void {
    if (time > now) this.#wakeAt = Math.min(this.#wakeAt, time);
  }
}
