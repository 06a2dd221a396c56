import { LedgerSource } from '../aggregation/ledger-source.js';
import { SnapshotReader } from '../snapshot/snapshot-reader.js';
import type { Ask } from './worker-inquiry.js';

/** The primary's view of one worker. */
export class WorkerSource extends LedgerSource {
  readonly reader = new SnapshotReader();
  /** The latest request for a snapshot that it has answered; Infinity after its final snapshot. */
  answered = -1;
  /** Whether it has let a gathering wait in vain, and has not answered since. */
  late = false;
  ledgerFailed = false;

  constructor(
    readonly ask: Ask,
    readonly slot: number,
    { folder, buckets }: { readonly folder: string; readonly buckets: readonly number[] },
    readonly id: number,
    birth: number,
  ) {
    super({ folder, buckets, id, birth });
  }

  /** Whether it may have counts that are neither in its ledger nor in an answer. */
  get hasUnwritten(): boolean {
    return this.ledgerFailed && this.answered !== Infinity;
  }
}
