import { cellsPerRow } from '../ledger/ledger-format.js';
import type { RowLabels } from '../request-metrics.js';
import { RequestText } from './text-format.js';
import type { Slices } from './slices.js';
import type { TextBuffer } from './text-buffer.js';

/**
 * The request counts of the whole service. Every worker's row is read many times, from its ledger and perhaps from a
 * snapshot; each reading adds what came on top of the highest one so far. So it does not matter how often, or from where, or
 * whether after the worker's end a row is read: nothing is counted twice, and no total falls.
 */
export class RequestTotals {
  readonly #width: number;
  readonly #text: RequestText;
  readonly #index = new Map<string, number>();
  #totals = new Float64Array(0);

  constructor(prefix: string, buckets: readonly number[]) {
    this.#width = cellsPerRow(buckets);
    this.#text = new RequestText(prefix, buckets);
  }

  /** Where the totals of a row are, made when they are new. */
  indexOf(labels: RowLabels): number {
    const key = `${labels.method}\n${labels.status}\n${labels.endpoint}`;
    const known = this.#index.get(key);
    if (known !== undefined) return known;
    const index = this.#index.size;
    this.#index.set(key, index);
    this.#text.add(labels);
    this.#totals = grown(this.#totals, (index + 1) * this.#width);
    return index;
  }

  /** Takes in a reading of a worker's row: its cells begin at `from` in `words`. */
  add(source: RequestSource, index: number, words: Float64Array, from: number): void {
    const totals = this.#totals;
    const last = source.fit(totals.length);
    const start = index * this.#width;
    const sum = this.#width - 1;
    for (let i = 0; i <= sum; i++) {
      const value = words[from + i]!;
      const more = value - last[start + i]!;
      // False for NaN and for what would fall; Infinity and parts of a count are no counts.
      if (!(more > 0) || (i === sum ? value === Infinity : !Number.isSafeInteger(value))) continue;
      last[start + i] = value;
      totals[start + i]! += more;
    }
  }

  /** Appends the two request metrics as they are at this moment. */
  render(text: TextBuffer, slices: Slices): Promise<void> {
    return this.#text.render(this.#totals.slice(0, this.#index.size * this.#width), text, slices);
  }
}

/** The highest reading so far of each row of one worker. */
export class RequestSource {
  #last = new Float64Array(0);

  /** The readings, in the order of the totals and at least `length` of them. */
  fit(length: number): Float64Array {
    return (this.#last = grown(this.#last, length));
  }
}

function grown(cells: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  if (cells.length >= length) return cells;
  const larger = new Float64Array(Math.max(length, 2 * cells.length));
  larger.set(cells);
  return larger;
}
