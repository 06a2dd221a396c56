import { rmSync, statSync, writeFileSync } from 'node:fs';
import { DetailReader, detailPath } from '../../../src/metrics/ledger/detail-file';
import { Ledger } from '../../../src/metrics/ledger/ledger';
import { LedgerReader } from '../../../src/metrics/ledger/ledger-reader';
import { NATIVE_CELLS, nativeCell } from '../../../src/metrics/native-buckets';
import { RequestMetrics } from '../../../src/metrics/request-metrics';
import { detailWords, exemplarIn, nativeIn, startIn } from '../../../src/metrics/row-detail';
import { memoryFolder, modes } from './memory-folder';

const buckets = [0.1, 1];
const words = detailWords(buckets);
const trace = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
let folder: string;

beforeEach(() => (folder = memoryFolder()));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function open(map: boolean): Ledger {
  return Ledger.open({ folder, generation: 7, buckets, onError: (err) => fail(err), map });
}

function fail(err: Error): never {
  throw err;
}

function reader(ledger: Ledger): DetailReader | undefined {
  const rows = LedgerReader.open(ledger.path);
  rows?.close();
  return rows && DetailReader.open(detailPath(folder, 7), rows.header);
}

describe.each(modes)('the details of a %s ledger', (mode) => {
  const map = mode === 'mapped';

  it('are there as soon as they were counted', () => {
    const ledger = open(map);
    const metrics = new RequestMetrics(buckets, ledger);
    metrics.endpoint('/a').observe('GET', 200, 0.05);
    metrics.endpoint('/b').observe('GET', 200, 0.5, trace);
    metrics.endpoint('/b').observe('GET', 200, 0.5);
    const found = reader(ledger)?.read(0, 2) ?? new Float64Array();
    expect(found).toHaveLength(2 * words);
    expect(nativeIn(found, 0)[nativeCell(0.05)]).toBe(1);
    expect(nativeIn(found, words)[nativeCell(0.5)]).toBe(2);
    expect(startIn(found, words)).toBe(startIn(metrics.rows[1]!.detail.words, 0));
    expect(exemplarIn(found, words, 1)).toMatchObject({ ...trace, seconds: 0.5 });
    ledger.close();
  });

  it('are those of their row, however many there are', () => {
    const ledger = open(map);
    const metrics = new RequestMetrics(buckets, ledger);
    const rows = 500;
    for (let i = 0; i < rows; i++)
      for (let n = 0; n <= i % 7; n++) metrics.endpoint(`/${i}`).observe('GET', 200, 0.05);
    const details = reader(ledger);
    const counts: number[] = [];
    while (counts.length < rows) {
      const found = details?.read(counts.length, rows) ?? new Float64Array();
      expect(found.length).toBeGreaterThan(0);
      for (let at = 0; at < found.length; at += words) counts.push(nativeIn(found, at)[nativeCell(0.05)]!);
    }
    expect(counts).toEqual(Array.from({ length: rows }, (_, i) => 1 + (i % 7)));
    ledger.close();
  });
});

test('a row and its details have at most 2.5 kB of storage, and are there in full', () => {
  const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
  const ledger = Ledger.open({ folder, generation: 1, buckets: bounds, onError: fail });
  const metrics = new RequestMetrics(bounds, ledger);
  for (let i = 0; i < 1000; i++) metrics.endpoint(`/items/${i}/{id}`).observe('GET', 200, 0.05);
  const files = [ledger.path, detailPath(folder, 1)].map((path) => statSync(path));
  const size = files.reduce((all, file) => all + file.size, 0);
  expect(size).toBeLessThanOrEqual(1000 * 2.5 * 1024);
  // Blocks of 512 bytes: a hole would end the process with SIGBUS once the storage is full.
  expect(files.reduce((all, { blocks }) => all + 512 * blocks, 0)).toBeGreaterThanOrEqual(size);
  ledger.close();
});

test('a file that belongs to another ledger is none', () => {
  const ledger = open(false);
  const header = LedgerReader.open(ledger.path)?.header;
  if (!header) throw new Error('no ledger');
  const path = detailPath(folder, 7);
  expect(DetailReader.open(path, header)).toBeDefined();
  expect(DetailReader.open(path, { ...header, pid: 1 })).toBeUndefined();
  expect(DetailReader.open(path, { ...header, generation: 8 })).toBeUndefined();
  expect(DetailReader.open(path, { ...header, buckets: [1] })).toBeUndefined();
  writeFileSync(path, 'KCM');
  expect(DetailReader.open(path, header)).toBeUndefined();
  rmSync(path);
  expect(DetailReader.open(path, header)).toBeUndefined();
  expect(NATIVE_CELLS).toBe(234);
});
