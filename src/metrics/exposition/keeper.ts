import type { Counts } from '../aggregation/aggregation.js';
import type { Snapshot } from '../snapshot/snapshot.js';

/** Keeps the counts of workers for the service that comes after this one. */
export interface Keeper {
  /** The time since which this service and those before it have counted, in ms since 1970. */
  readonly since: number;
  /** The counts of processes that had ended before this one began. */
  readonly gone: Counts;
  /** Returns the workers of an earlier primary whose counts are not in `gone`. */
  leftovers(): readonly number[];
  /** Returns the last snapshot of such a worker. */
  lastWord(id: number): Snapshot | undefined;
  /**
   * Makes this process responsible for the folder. Called when a worker serves: before that this process may
   * yet give way to another one.
   */
  takeCharge(): void;
  /** Notes that there is something new to be saved. */
  changed(): void;
  /** Notes that a worker's counts are among the gone: its files may be removed when these are saved. */
  retire(id: number): void;
  /** Saves the counts of ended workers. Called before anything is exposed, and when a worker has ended. */
  save(gone: () => Counts): void;
}
