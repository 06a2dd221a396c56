import { join } from 'node:path';
import type { CounterSeries } from '../counter-row.js';
import { cellsPerRow, encodeRow, type LedgerHeader } from './ledger-format.js';

/*
 * Durable counters have a ledger of their own, without bounds. A row has the counter's name as its method,
 * JSON of the rest of the series as its endpoint, and the count as its sum. The first counter makes the file.
 */
const NO_BOUNDS: readonly number[] = [];

/** Returns the path of a generation's durable counters. */
export function counterPath(folder: string, generation: number): string {
  return join(folder, `${generation}.counters`);
}

/** Returns the header of such a file. */
export function counterHeader(ledger: Omit<LedgerHeader, 'buckets'>): LedgerHeader {
  return { ...ledger, buckets: NO_BOUNDS };
}

/**
 * Encodes a counter's row with zeros for cells, which begin at `cellsAt`. Throws a
 * RangeError if a label is too long.
 */
export function encodeCounter({ name, ...series }: CounterSeries): { bytes: Uint8Array; cellsAt: number } {
  const labels = { method: name, endpoint: JSON.stringify(series), status: 0 };
  return encodeRow(labels, cellsPerRow(NO_BOUNDS));
}
