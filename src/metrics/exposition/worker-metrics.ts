import { rmSync } from 'node:fs';
import { detailPath } from '../ledger/detail-file.js';
import { LedgerReader } from '../ledger/ledger-reader.js';
import { ledgerPath } from '../ledger/ledger.js';
import { MetricSource } from './merged-metrics.js';
import { RequestSource, type RequestTotals } from './request-totals.js';
import type { Slices } from './slices.js';
import { SnapshotReader } from '../snapshot/snapshot-reader.js';

/** Asks a worker for a snapshot; false when it can't answer yet, so that nobody waits for it. */
export type Ask = (requestId: number) => boolean | void;

/** What the primary knows of one worker. */
export class WorkerMetrics {
  readonly reader = new SnapshotReader();
  readonly metrics = new MetricSource();
  readonly requests = new RequestSource();
  /** The latest request it has answered; Infinity after its final snapshot. */
  answered = -1;
  /** It has let a gathering wait for nothing, and has not answered since. */
  late = false;
  ledgerFailed = false;
  #ledger: LedgerReader | undefined;
  /** Where the totals of the ledger's rows are. */
  readonly #indexes: number[] = [];
  #removed = false;

  constructor(
    readonly ask: Ask,
    readonly slot: number,
    private readonly folder: string,
    private readonly generation: number,
    private readonly buckets: readonly number[],
  ) {}

  /** It may have counts that neither its ledger nor an answer has told. */
  get hasUnwritten(): boolean {
    return this.ledgerFailed && this.answered !== Infinity;
  }

  /** Takes in what is new in the ledger, if there is one. */
  async readInto(totals: RequestTotals, slices: Slices): Promise<void> {
    this.#read();
    // What was read before a pause is still right after it, if no longer the latest.
    for (let row = 0; this.#take(row, totals); row++) if (slices.over) await slices.next();
  }

  /** The ledger of a process that is gone: takes it in for the last time and removes it. */
  remove(totals: RequestTotals): void {
    this.#read();
    for (let row = 0; this.#take(row, totals); row++);
    this.#removed = true;
    try {
      this.#ledger?.close();
      for (const path of [ledgerPath, detailPath])
        rmSync(path(this.folder, this.generation), { force: true });
    } catch {
      // Its counts are in. The file goes with the folder; it must not take the primary along.
    }
  }

  #read(): void {
    if (this.#removed) return;
    this.#ledger ??= this.#open();
    this.#ledger?.read();
  }

  /** Adds one row of the ledger; false when there is none. */
  #take(row: number, totals: RequestTotals): boolean {
    const placed = this.#ledger?.row(row);
    if (!this.#ledger || !placed) return false;
    const index = (this.#indexes[row] ??= totals.indexOf(placed.labels));
    totals.add(this.requests, index, this.#ledger.words, placed.cellsAt);
    return true;
  }

  #open(): LedgerReader | undefined {
    const reader = LedgerReader.open(ledgerPath(this.folder, this.generation));
    if (!reader) return undefined;
    const { generation, buckets } = reader.header;
    if (generation === this.generation && sameBuckets(buckets, this.buckets)) return reader;
    reader.close();
    return undefined;
  }
}

function sameBuckets(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((bound, i) => bound === b[i]);
}
