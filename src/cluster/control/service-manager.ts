import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../log.js';
import { notificationSocket, type Notify } from './notification-socket.js';

/** The number of tries to send a message: without its READY=1 the manager would end a service that serves. */
const TRIES = 50;
const TRY_AGAIN_MS = 100;

const NOT_TAKEN = 'The service manager does not take what it is told (NOTIFY_SOCKET)';

/**
 * Tells systemd, or whoever else has set `NOTIFY_SOCKET`, how the service is (sd_notify(3)): that it serves,
 * reloads, stops, and, where a watchdog is set, that it lives. Without such a manager each call does nothing.
 */
export class ServiceManager {
  readonly #log: Logger;
  readonly #notify: Notify | undefined;
  readonly #aliveEveryMs: number;
  #aliveAt = 0;
  #sent = Promise.resolve();
  #reloads = 0;
  #serves = false;
  #stopping = false;
  /** Whether the latest message was not taken. */
  #deaf = false;

  /**
   * Removes the manager's variables from the environment: they are for this process, and
   * not for those that it starts.
   */
  constructor(env: NodeJS.ProcessEnv, log: Logger) {
    const { NOTIFY_SOCKET: address = '', WATCHDOG_USEC: watchdog, WATCHDOG_PID: watched } = env;
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
    this.#log = log;
    // Other families (vsock) are for virtual machines.
    if (/^[/@]./.test(address)) this.#notify = notificationSocket(address, log);
    const isWatched = watchdog !== undefined && (watched === undefined || watched === String(process.pid));
    this.#aliveEveryMs = isWatched ? Number(watchdog) / 2_000 : Infinity;
  }

  /** @param status for people, in one line */
  serves(status: string): void {
    this.#serves = true;
    this.#say('READY=1', statusLine(status));
  }

  /** Tells that a reload begins. To be called for each, even if one is running. */
  reloads(): void {
    this.#reloads += 1;
    if (this.#serves && !this.#stopping)
      this.#say('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`);
  }

  /** Tells that a reload is over. The service serves, whether or not the workers are new. */
  reloaded(status: string): void {
    this.#reloads -= 1;
    if (this.#serves && !this.#stopping && this.#reloads === 0) this.#say('READY=1', statusLine(status));
  }

  stops(): void {
    this.#stopping = true;
    this.#say('STOPPING=1', 'STATUS=Stopping: finishing what is in flight');
  }

  /**
   * Tells the watchdog that this process lives, twice in the time after which the manager would take it for
   * dead. To be called whenever this process has done its work.
   */
  lives(now: number): void {
    if (!(now - this.#aliveAt >= this.#aliveEveryMs)) return;
    this.#aliveAt = now;
    this.#say('WATCHDOG=1');
  }

  #say(...lines: string[]): void {
    const notify = this.#notify;
    // Messages are sent one after the other: a READY=1 that overtook its
    // RELOADING=1 would not end the reload.
    if (notify) this.#sent = this.#sent.then(() => this.#insist(notify, lines.join('\n')));
  }

  async #insist(notify: Notify, message: string): Promise<void> {
    for (let tries = this.#deaf ? 1 : TRIES; tries > 0; tries--) {
      if (await notify(message)) {
        this.#deaf = false;
        return;
      }
      if (tries > 1) await delay(TRY_AGAIN_MS);
    }
    if (!this.#deaf) this.#log.warn(NOT_TAKEN);
    this.#deaf = true;
  }
}

function statusLine(status: string): string {
  return `STATUS=${status.replaceAll(/\s+/g, ' ')}`;
}
