import { NATIVE_CELLS, nativeCell } from './native-buckets.js';

/*
 * What a row has beyond its cells, as 64-bit words that can lie in a file:
 *
 *    0  when the row's first request arrived, in ms since 1970
 *    1  native counts, see native-buckets.ts
 *  ...  an exemplar for each classic bucket, 5 words of these bytes:
 *          0  trace id (16), span id (8)
 *         24  seconds
 *         32  when it was answered, in s since 1970 (32 bit); the ms of it (10 bit) and a check of the rest (22 bit)
 */
const NATIVE = 1;
const EXEMPLARS = NATIVE + NATIVE_CELLS;
const EXEMPLAR_WORDS = 5;

/** Where a request belongs (W3C Trace Context), ids in hexadecimal. */
export interface Trace {
  readonly traceId: string;
  readonly spanId: string;
}

/** A request of a bucket, for who wants to see what took so long. */
export interface Exemplar extends Trace {
  readonly seconds: number;
  /** When it was answered, in ms since 1970. */
  readonly time: number;
}

/** The detail of a row as it travels between processes, and as it is kept. */
export interface Detail {
  /** When the row's first request arrived, in ms since 1970. */
  readonly start: number;
  /** The native counts that are not 0, each with its place among the `NATIVE_CELLS`. */
  readonly native: readonly (readonly [cell: number, count: number])[];
  readonly exemplars: readonly (readonly [bucket: number, exemplar: Exemplar])[];
}

/** How many words of detail a row has with so many bounds. */
export function detailWords(buckets: readonly number[]): number {
  return EXEMPLARS + EXEMPLAR_WORDS * (buckets.length + 1);
}

/** The detail of a row. It writes to the words that it was given. */
export class RowDetail {
  readonly #native: Float64Array;
  readonly #exemplars: Float64Array;
  #bytes: Buffer | undefined;

  constructor(readonly words: Float64Array) {
    this.#native = words.subarray(NATIVE, EXEMPLARS);
    this.#exemplars = words.subarray(EXEMPLARS);
  }

  /** Counts an observation, in no more than one word. To be called before the cells count it. */
  count(seconds: number): void {
    this.#native[nativeCell(seconds)]! += 1;
  }

  /** As it is now. */
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
    const words = new Uint32Array(this.#bytes.buffer, this.#bytes.byteOffset + 40 * bucket, 10);
    this.#bytes.write(traceId, 40 * bucket, 16, 'hex');
    this.#bytes.write(spanId, 40 * bucket + 16, 8, 'hex');
    this.#exemplars[EXEMPLAR_WORDS * bucket + 3] = seconds;
    words[8] = Math.trunc(time / 1000);
    words[9] = (time % 1000) + check(words) * 1024;
  }
}

/** When the row's first request arrived, in ms since 1970. `from` is where the detail begins in `words`. */
export function startIn(words: Float64Array, from: number): number {
  return words[from]!;
}

/** The native counts. */
export function nativeIn(words: Float64Array, from: number): Float64Array {
  return words.subarray(from + NATIVE, from + EXEMPLARS);
}

/** The exemplar of a classic bucket; undefined where there is none, or half of one was written when it was read. */
export function exemplarIn(words: Float64Array, from: number, bucket: number): Exemplar | undefined {
  const at = from + EXEMPLARS + EXEMPLAR_WORDS * bucket;
  const time = words[at + 4]!;
  if (time === 0) return undefined;
  const bytes = bytesOf(words.subarray(at, at + EXEMPLAR_WORDS));
  const halves = new Uint32Array(bytes.buffer, bytes.byteOffset, 10);
  if (halves[9]! >>> 10 !== check(halves)) return undefined;
  return {
    traceId: bytes.toString('hex', 0, 16),
    spanId: bytes.toString('hex', 16, 24),
    seconds: words[at + 3]!,
    time: halves[8]! * 1000 + (halves[9]! & 1023),
  };
}

/** 22 bits that tell whether all of an exemplar is of one: a reader does not wait for the one who writes. */
function check(halves: Uint32Array): number {
  let sum = 0x9e3779b9;
  for (let i = 0; i < 9; i++) sum = Math.imul(sum ^ halves[i]!, 0x01000193) ^ (sum >>> 15);
  return sum >>> 10;
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
