import { closeSync, constants, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ProgressNotes } from '../request-metrics.js';
import { writeAll } from './ledger-file.js';
import { mapFile } from './ledger-mapping.js';

/** A request that had arrived and was not answered. */
export interface RequestInFlight {
  readonly method: string;
  /** The path template, or another value of the label of the same name. */
  readonly endpoint: string;
  /** The request id; empty until the request has one. */
  readonly requestId: string;
  /** Milliseconds since its arrival. */
  readonly ms: number;
}

/*
 * The file has a slot for each request, then the names of the endpoints, a JSON string per line.
 *
 *   slot   0  when it arrived, in milliseconds since 1970; 0 where the slot is free (64-bit float)
 *          8  number of the endpoint
 *         12  bytes of the method, bytes of the id (8 bit each)
 *         16  method, id (Latin-1)
 */
const SLOTS = 128;
const SLOT_BYTES = 176;
const TEXT = 16;
const MAX_METHOD = 32;
const NAMES = SLOTS * SLOT_BYTES;
const NO_NAME = 0xffff_ffff;

/**
 * Notes the requests in flight of a worker, in memory that outlives it: a full heap, for one, ends a worker
 * without time to tell. A request costs a few stores. Only 128 at a time are noted.
 */
export class RequestsInFlight implements ProgressNotes {
  readonly #fd: number;
  readonly #bytes: Buffer;
  readonly #arrivals: Float64Array;
  readonly #words: Uint32Array;
  readonly #free = Array.from({ length: SLOTS }, (_, slot) => SLOTS - 1 - slot);
  readonly #endpoints = new Map<string, number>();
  #names = 0;
  #end = NAMES;

  /**
   * Makes the file; undefined if the storage has no room for it, or it cannot be mapped: writing it would
   * cost each request as much as its answer.
   */
  static open(folder: string, generation: number): RequestsInFlight | undefined {
    const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;
    const path = requestsInFlightPath(folder, generation);
    let fd: number | undefined;
    try {
      fd = openSync(path, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, 0o600);
      // A store to a page that was not written would end the process with SIGBUS.
      writeAll(fd, Buffer.alloc(NAMES), 0);
      const memory = mapFile(fd, path)?.cells(0, NAMES / 8);
      if (memory) return new RequestsInFlight(fd, memory);
    } catch {
      // The ledger in the same folder reports what is wrong with it.
    }
    if (fd === undefined) return undefined;
    closeSync(fd);
    rmSync(path, { force: true });
    return undefined;
  }

  private constructor(fd: number, memory: Float64Array) {
    const { buffer, byteOffset, byteLength } = memory;
    this.#fd = fd;
    this.#arrivals = memory;
    this.#bytes = Buffer.from(buffer, byteOffset, byteLength);
    this.#words = new Uint32Array(buffer, byteOffset, byteLength / 4);
  }

  /**
   * Notes a request.
   * @param arrived by the clock of `performance.now()`
   * @returns its slot; -1 when none is free
   */
  enter(arrived: number, endpoint: string, method: string): number {
    const slot = this.#free.pop() ?? -1;
    if (slot < 0) return slot;
    const at = slot * SLOT_BYTES;
    const length = Math.min(method.length, MAX_METHOD);
    this.#write(method, at + TEXT, length);
    this.#bytes[at + 12] = length;
    this.#bytes[at + 13] = 0;
    this.route(slot, endpoint);
    this.#arrivals[at / 8] = performance.timeOrigin + arrived;
    return slot;
  }

  /** Notes the endpoint of the request. */
  route(slot: number, endpoint: string): void {
    if (slot < 0) return;
    this.#words[(slot * SLOT_BYTES + 8) / 4] = this.#endpoints.get(endpoint) ?? this.#name(endpoint);
  }

  /** Notes the id of the request, 128 characters of it at most. */
  identify(slot: number, id: string): void {
    if (slot < 0) return;
    const at = slot * SLOT_BYTES;
    const method = this.#bytes[at + 12] ?? 0;
    const length = Math.min(id.length, 128);
    this.#write(id, at + TEXT + method, length);
    this.#bytes[at + 13] = length;
  }

  /** Frees the slot: the request is answered. */
  leave(slot: number): void {
    if (slot < 0) return;
    this.#arrivals[(slot * SLOT_BYTES) / 8] = 0;
    this.#free.push(slot);
  }

  /**
   * Writes Latin-1. For such a short text `Buffer.write`, which leaves JavaScript, takes
   * longer than the rest of the note.
   */
  #write(text: string, at: number, length: number): void {
    for (let index = 0; index < length; index += 1) this.#bytes[at + index] = text.charCodeAt(index);
  }

  #name(endpoint: string): number {
    let number = NO_NAME;
    try {
      const line = Buffer.from(`${JSON.stringify(endpoint)}\n`);
      writeAll(this.#fd, line, this.#end);
      this.#end += line.length;
      number = this.#names++;
    } catch {
      // The storage is full: the name will be missing when the file is read.
    }
    this.#endpoints.set(endpoint, number);
    return number;
  }
}

/** Reads and removes the requests that an ended worker has left in flight, oldest first. Never throws. */
export function takeRequestsInFlight(folder: string, generation: number): readonly RequestInFlight[] {
  const path = requestsInFlightPath(folder, generation);
  try {
    const bytes = readFileSync(path);
    rmSync(path, { force: true });
    return bytes.length < NAMES ? [] : requestsIn(bytes);
  } catch {
    return [];
  }
}

function requestsIn(bytes: Buffer): readonly RequestInFlight[] {
  const names = bytes.toString('utf8', NAMES).split('\n');
  const nameOf = (number: number) => (names[number] ? String(JSON.parse(names[number])) : '');
  return Array.from({ length: SLOTS }, (_, slot) =>
    bytes.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES),
  )
    .filter((slot) => slot.readDoubleLE(0) > 0)
    .map((slot) => {
      const method = TEXT + slot.readUInt8(12);
      return {
        method: slot.toString('latin1', TEXT, method),
        endpoint: nameOf(slot.readUInt32LE(8)),
        requestId: slot.toString('latin1', method, method + slot.readUInt8(13)),
        ms: Math.max(0, Math.round(Date.now() - slot.readDoubleLE(0))),
      };
    })
    .toSorted((a, b) => b.ms - a.ms);
}

/** Returns the path of a generation's requests. */
export function requestsInFlightPath(folder: string, generation: number): string {
  return join(folder, `${generation}.requests`);
}
