import { COUNT } from '../counter-row.js';
import { LedgerReader } from '../ledger/ledger-reader.js';
import { parseMetric } from '../snapshot/snapshot-parser.js';
import type { SnapshotMetric } from '../snapshot/snapshot.js';

/** The rows of one counter that were read. */
interface Known {
  /** The counter with its series, whose values are 0. */
  readonly metric: SnapshotMetric;
  /** The word of the file that has the count of each series. */
  readonly places: readonly number[];
}

/** Reads the durable counters of one process again and again. */
export class CounterReader {
  readonly #path: string;
  readonly #generation: number;
  #ledger: LedgerReader | undefined;
  #rows = 0;
  #known = new Map<string, Known>();

  constructor(path: string, generation: number) {
    this.#path = path;
    this.#generation = generation;
  }

  /** Reads the counters as they are now; none if there is no file. Leaves malformed rows out. */
  read(): SnapshotMetric[] {
    this.open();
    this.#ledger?.read();
    for (let row; (row = this.#ledger?.row(this.#rows)); this.#rows++)
      this.#add(row.labels.method, row.labels.endpoint, row.cellsAt + COUNT);
    const words = this.#ledger?.words ?? [];
    return Array.from(this.#known.values(), ({ metric, places }) => ({
      ...metric,
      values: metric.values.map((series, i) => ({ ...series, value: countIn(words[places[i]!]) })),
    }));
  }

  /** Opens the file. An open one can be read even when its file is removed. */
  open(): void {
    if (this.#ledger?.isRemoved === false) return;
    // A process makes a removed file anew, with all its counts.
    const ledger = LedgerReader.open(this.#path);
    if (ledger?.header.generation !== this.#generation) return ledger?.close();
    this.close();
    this.#ledger = ledger;
    this.#rows = 0;
    this.#known.clear();
  }

  close(): void {
    this.#ledger?.close();
    this.#ledger = undefined;
  }

  #add(name: string, text: string, at: number): void {
    const [metric] = parse(name, text);
    if (!metric) return;
    const { metric: before, places = [] } = this.#known.get(name) ?? {};
    const values = [...(before?.values ?? []), ...metric.values];
    // A metric with one more series has another shape.
    this.#known.set(name, { metric: { ...metric, values, shape: {} }, places: [...places, at] });
  }
}

function parse(name: string, text: string): SnapshotMetric[] {
  try {
    const { help, labels, start }: Record<string, unknown> = JSON.parse(text);
    const labelNames = Object.keys(Object(labels));
    return parseMetric({ name, help, type: 'counter', labelNames, values: [{ labels, start, value: 0 }] });
  } catch {
    return [];
  }
}

/** Returns the count of a word; 0 if it is damaged. */
function countIn(word = 0): number {
  return word >= 0 && word < Infinity ? word : 0;
}
