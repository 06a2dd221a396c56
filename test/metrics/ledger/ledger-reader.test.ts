import * as fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { Ledger } from '../../../src/metrics/ledger/ledger';
import { areCells, LedgerReader, readLedger, type RowData } from '../../../src/metrics/ledger/ledger-reader';
import { RequestMetrics } from '../../../src/metrics/request-metrics';
import { memoryFolder } from './memory-folder';

// Real files and processes: on a busy machine they take their time.
jest.setTimeout(60_000);

const buckets = [0.1, 1];
const CELLS = 8 * (buckets.length + 2);
let folder: string;
let path: string;
let whole: Buffer;
let rows: readonly RowData[];
/** The byte at which each row of the whole file ends. */
let ends: number[];
let headerEnd: number;

beforeEach(() => {
  folder = memoryFolder();
  path = join(folder, 'damaged.ledger');
  const ledger = Ledger.open({ folder, generation: 3, buckets, onError: () => {}, map: false });
  headerEnd = readFileSync(ledger.path).length;
  const metrics = new RequestMetrics(buckets, ledger);
  ends = ['/', '/hello/{name}', '/ünï', `/${'long'.repeat(9)}`].map((endpoint, i) => {
    for (let n = 0; n <= i; n++) metrics.endpoint(endpoint).observe('GET', 200 + i, 0.3 * (n + 1));
    return readFileSync(ledger.path).length;
  });
  ledger.close();
  whole = readFileSync(ledger.path);
  rows = readLedger(ledger.path)?.rows ?? [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('refuses a whole file of a newer version', () => {
  const newer = Buffer.from(whole);
  newer.writeUInt32LE(2, 8);
  newer.writeUInt32LE(crc32(newer.subarray(40, headerEnd), crc32(newer.subarray(0, 36))), 36);
  expect(read(newer)).toBeUndefined();
  newer.writeUInt32LE(1, 8);
  newer.writeUInt32LE(crc32(newer.subarray(40, headerEnd), crc32(newer.subarray(0, 36))), 36);
  expect(read(newer)).toHaveLength(4);
});

function read(content: Uint8Array): readonly RowData[] | undefined {
  writeFileSync(path, content);
  return readLedger(path)?.rows;
}

/** Tells whether that byte belongs to the cells of a row: their changes can't be told from counts. */
function isInCells(position: number): boolean {
  return ends.some((end) => position >= end - CELLS && position < end);
}

it('reads a whole one', () => {
  expect(rows.map(({ labels }) => [labels.endpoint, labels.status])).toEqual([
    ['/', 200],
    ['/hello/{name}', 201],
    ['/ünï', 202],
    [`/${'long'.repeat(9)}`, 203],
  ]);
  expect(read(whole)).toEqual(rows);
});

it('reads one that is cut off anywhere as far as its rows are whole', () => {
  for (let length = 0; length < whole.length; length++) {
    const complete = ends.filter((end) => end <= length).length;
    expect(read(whole.subarray(0, length))).toEqual(length < headerEnd ? undefined : rows.slice(0, complete));
  }
});

it('refuses or cuts one with a flipped bit in its header or a label, at every bit of it', () => {
  for (let bit = 0; bit < 8 * whole.length; bit++) {
    const position = bit >> 3;
    if (isInCells(position)) continue;
    const damaged = Buffer.from(whole);
    damaged[position]! ^= 1 << (bit & 7);
    const intact = ends.filter((end) => end <= position).length;
    expect(read(damaged)).toEqual(position < headerEnd ? undefined : rows.slice(0, intact));
  }
});

it('never gives a count that can’t be one, wherever bytes were changed', () => {
  const change = fc.tuple(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
      const damaged = Buffer.from(whole);
      for (const [position, value] of changes) damaged[position] = value;
      const known = new Map(rows.map(({ labels }) => [JSON.stringify(labels), true]));
      for (const { labels, cells } of read(damaged) ?? []) {
        expect(known.has(JSON.stringify(labels))).toBe(true);
        expect(areCells(cells)).toBe(true);
      }
    }),
    { numRuns: 500 },
  );
});

it('leaves a row out whose cells are NaN, infinite, negative or parts of a count', () => {
  for (const bad of [NaN, Infinity, -1, 1.5, 2 ** 60]) {
    const damaged = Buffer.from(whole);
    damaged.writeDoubleLE(bad, ends[1]! - CELLS);
    expect(read(damaged)).toEqual(rows.filter((_, i) => i !== 1));
  }
});

it('refuses arbitrary bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(read(bytes)).toBeUndefined();
      expect(read(Buffer.concat([whole.subarray(0, 12), bytes]))).toBeUndefined();
    }),
    { numRuns: 300 },
  );
});

it('stops at arbitrary bytes behind the rows', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(read(Buffer.concat([whole, bytes]))).toEqual(rows);
    }),
    { numRuns: 300 },
  );
});

it('refuses what is not a file of our own making', () => {
  expect(readLedger(join(folder, 'absent'))).toBeUndefined();
  mkdirSync(join(folder, 'folder'));
  expect(readLedger(join(folder, 'folder'))).toBeUndefined();
  symlinkSync(join(folder, '3.ledger'), join(folder, 'link'));
  expect(readLedger(join(folder, 'link'))).toBeUndefined();
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  expect(readLedger(join(folder, 'pipe'))).toBeUndefined();
  expect(readLedger('/dev/zero')).toBeUndefined();
});

it('follows a file while it grows, and keeps the last reading when it shrinks', () => {
  writeFileSync(path, whole.subarray(0, ends[0]));
  const reader = LedgerReader.open(path);
  if (!reader) throw new Error('no ledger');
  const cells = (): Float64Array[] => {
    reader.read();
    return rows.flatMap((_, i) => {
      const row = reader.row(i);
      return row ? [reader.cellsOf(row)] : [];
    });
  };
  const expected = rows.map((row) => row.cells);
  expect(cells()).toEqual(expected.slice(0, 1));
  writeFileSync(path, whole.subarray(0, ends[2]! + 20));
  expect(cells()).toEqual(expected.slice(0, 3));
  writeFileSync(path, whole);
  expect(cells()).toEqual(expected);
  writeFileSync(path, '');
  expect(cells()).toEqual(expected);
  reader.close();
});
