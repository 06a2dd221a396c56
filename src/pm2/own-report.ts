import { randomInt } from 'node:crypto';
import type { Server } from 'node:net';
import { oneAtATime } from '../metrics/exposition/one-at-a-time.js';
import { reportText, writeReport } from '../metrics/service-folder/process-report.js';
import { answerAt } from '../metrics/service-folder/process-socket.js';
import type { ServiceFolder } from '../metrics/service-folder/service-folder.js';
import type { ExitReason, WorkerState } from '../metrics/supervision-metrics.js';
import { errorOf } from '../thrown.js';

export interface OwnReportOptions {
  readonly folder: ServiceFolder;
  /** The number of this instance among the app's, from 1. */
  readonly slot: number;
  /** The port or socket on which it serves, as `placeOf` names it. */
  readonly listen: string;
  /** The number of processes that had this slot before. */
  readonly restarts: number;
  /** The upper bounds of the latency's buckets, and a function that returns the number of answers in each. */
  readonly buckets: readonly number[];
  readonly answered: () => readonly number[];
  /** Makes the `snapshotText` of all values of this instance that are not in its ledger. */
  readonly snapshot: () => Promise<string>;
  /** Called with an error of the folder. Scrapes go on with the values that they have. */
  readonly onError: (err: Error) => void;
}

/** Tells the other instances of this one: at its socket, and in a file that outlives it. */
export class OwnReport {
  state: WorkerState = 'starting';
  /** A ledger has 32 bits for the id, which is never used again, unlike a pid. */
  readonly id = randomInt(1, 2 ** 32);
  /**
   * Makes a report, and writes it to a file first: values that were once exposed survive when this process
   * is late, or gone. Reports are made one after the other: a report must not replace a newer one.
   */
  readonly write: () => Promise<string> = oneAtATime(() => this.#report());
  readonly #options: OwnReportOptions;
  readonly #birth = Date.now();
  #made = 0;
  #server: Server | undefined;
  #exit: ExitReason | undefined;

  constructor(options: OwnReportOptions) {
    this.#options = options;
  }

  /** Answers the others from now on, also when the socket was removed. Rejects when it cannot be made. */
  async listen(): Promise<void> {
    this.#server?.close();
    this.#server = await answerAt(this.#options.folder.socket(this.id), this.write);
  }

  /** Changes the state, and writes a report of it. */
  async announce(state: WorkerState): Promise<void> {
    this.state = state;
    await this.write();
  }

  /** Writes the last report. Nothing may be counted after it, and this process has to end. */
  async leave(exit: ExitReason): Promise<void> {
    this.#exit = exit;
    await this.write();
  }

  async #report(): Promise<string> {
    const { folder, slot, snapshot, listen, restarts, buckets, answered } = this.#options;
    const { pid, ppid: primary } = process;
    const instance = { pid, primary, listen, restarts, buckets, answered: answered() };
    const about = {
      state: this.state,
      slot,
      birth: this.#birth,
      number: this.#made++,
      instance,
      ...(this.#exit && { exit: this.#exit }),
    };
    const text = reportText(about, await snapshot());
    try {
      if (about.state !== 'starting') writeReport(folder.report(this.id), text);
    } catch (err) {
      this.#options.onError(errorOf(err));
    }
    return text;
  }
}
