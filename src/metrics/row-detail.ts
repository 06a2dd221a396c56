import { NATIVE_CELLS, nativeCell } from './native-buckets.js';

/*
 * The detail of a row beside its cells, as 64-bit words that can be in a file:
 *
 *    0  arrival of the row's first request, in ms since 1970
 *    1  native counts, see native-buckets.ts
 *  ...  an exemplar for each classic bucket, 5 words of these bytes:
 *          0  trace id (16), span id (8)
 *         24  seconds
 *         32  time of the answer in s since 1970 (32 bit), its ms (10 bit), a check of the rest (22 bit)
 */
const NATIVE = 1;
const EXEMPLARS = NATIVE + NATIVE_CELLS;
const EXEMPLAR_WORDS = 5;

/** The place of a request in a trace (W3C Trace Context), with ids in hexadecimal. */
export interface Trace {
  readonly traceId: string;
  readonly spanId: string;
}

/** A request of a bucket, by which a person can look up why it took so long. */
export interface Exemplar extends Trace {
  readonly seconds: number;
  /** The time of the answer, in ms since 1970. */
  readonly time: number;
}

/** The detail of a row as it is sent between processes, and as it is kept. */
export interface Detail {
  /** The arrival of the row's first request, in ms since 1970. */
  readonly start: number;
  /** The native counts that are not 0, each with its place among the `NATIVE_CELLS`. */
  readonly native: readonly (readonly [cell: number, count: number])[];
  readonly exemplars: readonly (readonly [bucket: number, exemplar: Exemplar])[];
}

/** Returns the number of words of a row's detail. */
export function detailWords(buckets: readonly number[]): number {
  return EXEMPLARS + EXEMPLAR_WORDS * (buckets.length + 1);
}

/** The detail of a row, in the words that it was given. */
export class RowDetail {
  readonly #native: Float64Array;
  readonly #exemplars: Float64Array;
  /** The exemplars as bytes, and as 32-bit halves of words. */
  #bytes: Buffer | undefined;
  #halves: Uint32Array | undefined;

  constructor(readonly words: Float64Array) {
    this.#native = words.subarray(NATIVE, EXEMPLARS);
    this.#exemplars = words.subarray(EXEMPLARS);
  }

  /** Counts an observation, in no more than one word. To be called before the cells count it. */
  count(seconds: number): void {
    this.#native[nativeCell(seconds)]! += 1;
  }

  /** Copies the detail as it is now. */
  toDetail(): Detail {
    const native = [...this.#native.entries()].filter(([, count]) => count > 0);
    const exemplars: (readonly [number, Exemplar])[] = [];
    for (let bucket = 0; bucket < this.#exemplars.length / EXEMPLAR_WORDS; bucket++) {
      const exemplar = exemplarIn(this.words, 0, bucket);
      if (exemplar) exemplars.push([bucket, exemplar]);
    }
    return { start: startIn(this.words, 0), native, exemplars };
  }

  /** Makes this request the exemplar of a classic bucket. */
  note(bucket: number, { traceId, spanId }: Trace, seconds: number, time = Date.now()): void {
    this.#bytes ??= bytesOf(this.#exemplars);
    this.#halves ??= new Uint32Array(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length / 4);
    this.#bytes.write(traceId + spanId, 40 * bucket, 24, 'hex');
    this.#exemplars[EXEMPLAR_WORDS * bucket + 3] = seconds;
    const at = 10 * bucket;
    this.#halves[at + 8] = Math.trunc(time / 1000);
    this.#halves[at + 9] = (time % 1000) + check(this.#halves, at) * 1024;
  }
}

/** Reads the arrival of the row's first request, in ms since 1970. The detail begins at `from` in `words`. */
export function startIn(words: Float64Array, from: number): number {
  return words[from]!;
}

/** Returns the native counts. */
export function nativeIn(words: Float64Array, from: number): Float64Array {
  return words.subarray(from + NATIVE, from + EXEMPLARS);
}

/**
 * Reads the exemplar of a classic bucket; undefined if there is none, or half of one
 * was written when it was read.
 */
export function exemplarIn(words: Float64Array, from: number, bucket: number): Exemplar | undefined {
  const at = from + EXEMPLARS + EXEMPLAR_WORDS * bucket;
  const time = words[at + 4]!;
  if (time === 0) return undefined;
  const bytes = bytesOf(words.subarray(at, at + EXEMPLAR_WORDS));
  const halves = new Uint32Array(bytes.buffer, bytes.byteOffset, 10);
  if (halves[9]! >>> 10 !== check(halves, 0)) return undefined;
  return {
    traceId: bytes.toString('hex', 0, 16),
    spanId: bytes.toString('hex', 16, 24),
    seconds: words[at + 3]!,
    time: halves[8]! * 1000 + (halves[9]! & 1023),
  };
}

/**
 * Makes 22 bits that tell whether all parts of an exemplar belong together: a reader
 * does not wait for the writer.
 */
function check(halves: Uint32Array, from: number): number {
  let sum = 0x9e3779b9;
  for (let i = from; i < from + 9; i++) sum = Math.imul(sum ^ halves[i]!, 0x01000193) ^ (sum >>> 15);
  return sum >>> 10;
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
