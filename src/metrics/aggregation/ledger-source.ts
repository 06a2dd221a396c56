import { rmSync } from 'node:fs';
import type { Slices } from '../event-loop-turns.js';
import { counterPath } from '../ledger/counter-file.js';
import { DetailReader, detailPath } from '../ledger/detail-file.js';
import { LedgerReader, readLedger, type RowData } from '../ledger/ledger-reader.js';
import { ledgerPath } from '../ledger/ledger.js';
import { isRunning } from '../ledger/process-identity.js';
import { detailWords } from '../row-detail.js';
import { type Aggregation, Source } from './aggregation.js';
import { CounterReader } from './counter-reader.js';

export interface LedgerSourceOptions {
  readonly folder: string;
  /** The number in the names of the process's files; never used again. */
  readonly id: number;
  readonly buckets: readonly number[];
  /** The birth of the process; larger for a younger one. */
  readonly birth: number;
}

type Read = 'readDetail' | 'readLastDetail';

/** A process that keeps its request counts in a ledger, which outlives it. */
export class LedgerSource extends Source {
  readonly #options: LedgerSourceOptions;
  readonly #path: string;
  #ledger: LedgerReader | undefined;
  #details: DetailReader | undefined;
  readonly #counters: CounterReader;
  /** The row in the totals of each row in the ledger. */
  readonly #rows: number[] = [];
  /** Whether its counts are among the gone. Its files may still be there. */
  #isRetired = false;

  constructor(options: LedgerSourceOptions) {
    super(options.birth);
    this.#options = options;
    this.#path = ledgerPath(options.folder, options.id);
    this.#counters = new CounterReader(counterPath(options.folder, options.id), options.id);
  }

  /**
   * Takes in the new counts of the ledger, if there is one and the process has not been retired meanwhile.
   * @param detailed whether to read the details of the rows, too
   */
  async readLedger(aggregation: Aggregation, slices: Slices, detailed = false): Promise<void> {
    if (this.#isRetired) return;
    this.#load(aggregation);
    // Counts that were read before a pause are still right after it, if no longer the latest.
    for (let row = 0; this.#take(row, aggregation); row++) if (slices.over) await slices.next();
    if (!detailed) return;
    for (let row = 0; row < this.#rows.length; row = this.#takeDetails(row, aggregation))
      if (slices.over) await slices.next();
  }

  /** Takes in the ledger of an ended process, without a pause, for the last time. */
  retireTo(aggregation: Aggregation): void {
    this.#isRetired = true;
    this.#load(aggregation);
    for (let row = 0; this.#take(row, aggregation); row++);
    for (let row = 0; row < this.#rows.length; row = this.#takeDetails(row, aggregation, 'readLastDetail'));
    if (!this.#ledger) aggregation.addWithOtherBuckets(this.#rowsWithOtherBuckets());
    this.close();
    aggregation.retire(this);
  }

  /** Whether the process that writes the ledger runs, with whatever buckets; false if there is no ledger. */
  get isRunning(): boolean {
    this.openLedger();
    const reader = this.#ledger ?? LedgerReader.open(this.#path);
    if (reader !== this.#ledger) reader?.close();
    const { generation, pid, startTime } = reader?.header ?? {};
    return (
      generation === this.#options.id &&
      pid !== undefined &&
      startTime !== undefined &&
      isRunning(pid, startTime)
    );
  }

  /** Returns the rows of a process that was started with other buckets than this one. */
  #rowsWithOtherBuckets(): readonly RowData[] {
    const { generation, rows } = readLedger(this.#path) ?? {};
    return generation === this.#options.id ? (rows ?? []) : [];
  }

  close(): void {
    this.#ledger?.close();
    this.#details?.close();
    this.#counters.close();
    this.#ledger = undefined;
    this.#details = undefined;
  }

  /** Removes the files, when the counts have been taken in. */
  removeFiles(): void {
    try {
      const { folder, id } = this.#options;
      for (const path of [ledgerPath, detailPath, counterPath]) rmSync(path(folder, id), { force: true });
    } catch {
      // The files go with the folder; an error here must not end this process.
    }
  }

  #load(aggregation: Aggregation): void {
    this.openLedger();
    this.#ledger?.read();
    const counters = this.#counters.read();
    if (counters.length > 0) aggregation.readCounters(this, counters);
  }

  /** Opens the ledger. An open one can be read even when its file is removed. */
  openLedger(): void {
    this.#counters.open();
    if (this.#ledger?.isRemoved === false) return;
    // A process makes a removed ledger anew, with all its counts.
    const ledger = this.#open();
    if (!ledger) return;
    this.#ledger?.close();
    this.#details?.close();
    this.#details = undefined;
    this.#ledger = ledger;
    this.#rows.length = 0;
  }

  /** Takes in one row of the ledger; false if there is none. */
  #take(row: number, aggregation: Aggregation): boolean {
    const placed = this.#ledger?.row(row);
    if (!this.#ledger || !placed) return false;
    this.#rows[row] ??= aggregation.rowOf(placed.labels);
    aggregation.readRow(this, this.#rows[row], this.#ledger.words, placed.cellsAt);
    return true;
  }

  /** Takes in one chunk of details, from this row on. Returns the first row after it. */
  #takeDetails(first: number, aggregation: Aggregation, read: Read = 'readDetail'): number {
    let row = first;
    // A row without new counts has no new detail.
    while (row < this.#rows.length && !aggregation.lacksDetail(this, this.#rows[row]!)) row++;
    const { folder, id, buckets } = this.#options;
    if (row === this.#rows.length || !this.#ledger) return this.#rows.length;
    this.#details ??= DetailReader.open(detailPath(folder, id), this.#ledger.header);
    const words = this.#details?.read(row, this.#rows.length);
    if (!words || words.length === 0) return this.#rows.length;
    for (let from = 0; from < words.length; from += detailWords(buckets))
      aggregation[read](this, this.#rows[row++]!, words, from);
    return row;
  }

  #open(): LedgerReader | undefined {
    const reader = LedgerReader.open(this.#path);
    if (!reader) return undefined;
    const { generation, buckets } = reader.header;
    if (generation === this.#options.id && areSame(buckets, this.#options.buckets)) return reader;
    reader.close();
    return undefined;
  }
}

function areSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((bound, i) => bound === b[i]);
}
