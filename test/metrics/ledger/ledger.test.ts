import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Ledger, type LedgerOptions } from '../../../src/metrics/ledger/ledger';
import { readLedger } from '../../../src/metrics/ledger/ledger-reader';
import { RequestMetrics } from '../../../src/metrics/request-metrics';
import { memoryFolder, modes } from './memory-folder';

const buckets = [0.1, 1];
let folder: string;

beforeEach(() => (folder = memoryFolder()));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function fail(err: Error): never {
  throw err;
}

function open(options: Partial<LedgerOptions> = {}): Ledger {
  return Ledger.open({ folder, generation: 7, buckets, onError: fail, ...options });
}

const counts = (path: string): unknown =>
  readLedger(path)?.rows.map(({ labels, cells }) => [
    labels.method,
    labels.endpoint,
    labels.status,
    ...cells,
  ]);

describe.each(modes)('a %s ledger', (mode) => {
  const map = mode === 'mapped';

  it('shows every count as soon as it was made, with the labels as they were given', () => {
    const ledger = open({ map });
    expect(ledger.mapped).toBe(map);
    const metrics = new RequestMetrics(buckets, ledger);
    metrics.endpoint('/a').observe('GET', 200, 0.05);
    expect(counts(ledger.path)).toEqual([['GET', '/a', 200, 1, 0, 0, 0.05]]);
    metrics.endpoint('/é\n"\\').observe('POST', 404, 0.5);
    metrics.endpoint('/a').observe('GET', 200, 3);
    expect(counts(ledger.path)).toEqual([
      ['GET', '/a', 200, 1, 0, 1, 3.05],
      ['POST', '/é\n"\\', 404, 0, 1, 0, 0.5],
    ]);
    expect(ledger).toMatchObject({ errors: 0 });
    expect(ledger.memoryOnly()).toEqual([]);
    ledger.close();
  });

  it(`needs ${map ? 'no' : 'a'} commit for a count to reach the file`, () => {
    const ledger = open({ map });
    const row = ledger.append({ method: 'GET', endpoint: '/', status: 200 }, 0);
    row.cells.set([1, 2, 3, 0.5]);
    expect(counts(ledger.path)).toEqual([['GET', '/', 200, ...(map ? [1, 2, 3, 0.5] : [0, 0, 0, 0])]]);
    row.commit();
    expect(counts(ledger.path)).toEqual([['GET', '/', 200, 1, 2, 3, 0.5]]);
  });

  it('says whose it is', () => {
    const ledger = open({ map });
    expect(readLedger(ledger.path)).toEqual({ generation: 7, pid: process.pid, buckets, rows: [] });
    expect(statSync(ledger.path).mode & 0o777).toBe(0o600);
    ledger.close();
  });

  it('holds thousands of rows, none of them moved', () => {
    const ledger = open({ map });
    const metrics = new RequestMetrics(buckets, ledger);
    const endpoints = Array.from({ length: 3000 }, (_, i) => metrics.endpoint(`/${'x'.repeat(i % 19)}/${i}`));
    endpoints.forEach((endpoint, i) => endpoint.observe('GET', 200, i));
    for (const endpoint of endpoints) endpoint.observe('GET', 200, 0);
    const rows = readLedger(ledger.path)?.rows ?? [];
    expect(rows.map(({ labels }) => labels.endpoint)).toEqual(endpoints.map(({ template }) => template));
    expect(rows.map(({ cells }) => cells.at(-1))).toEqual(endpoints.map((_, i) => i));
    expect(rows.every(({ cells }) => cells[0] === (cells.at(-1) === 0 ? 2 : 1))).toBe(true);
    ledger.close();
  });

  it('counts in memory after it was closed', () => {
    const ledger = open({ map, onError: () => {} });
    const metrics = new RequestMetrics(buckets, ledger);
    ledger.close();
    metrics.endpoint('/late').observe('GET', 200, 0);
    expect(ledger.memoryOnly()).toEqual(metrics.rows);
  });
});

it('a ledger that can’t be mapped is written', () => {
  jest.resetModules();
  jest.doMock('koffi', () => fail(new Error('Cannot find module koffi')), { virtual: true });
  const ledger = open();
  jest.dontMock('koffi');
  expect(ledger.mapped).toBe(false);
  new RequestMetrics(buckets, ledger).endpoint('/').observe('GET', 200, 0.5);
  expect(counts(ledger.path)).toEqual([['GET', '/', 200, 0, 1, 0, 0.5]]);
  expect(ledger.errors).toBe(0);
});

describe('a ledger that cannot be made', () => {
  it('counts in memory, says so once, and counts its errors', () => {
    const errors: string[] = [];
    const ledger = open({ folder: join(folder, 'absent'), onError: (err) => errors.push(err.message) });
    const metrics = new RequestMetrics(buckets, ledger);
    metrics.endpoint('/a').observe('GET', 200, 0.5);
    metrics.endpoint('/b').observe('GET', 200, 0.5);
    expect(metrics.rows[0]?.cells).toEqual(new Float64Array([0, 1, 0, 0.5]));
    expect(ledger.memoryOnly()).toEqual(metrics.rows);
    expect(errors).toEqual([expect.stringMatching(/ENOENT/)]);
    expect(ledger.errors).toBe(1);
  });

  it('does not follow or replace what is in its place', () => {
    mkdirSync(join(folder, '7.ledger'));
    const ledger = open({ onError: () => {} });
    expect(ledger.errors).toBe(1);
    expect(statSync(join(folder, '7.ledger')).isDirectory()).toBe(true);
  });
});

describe.each(modes)('a %s ledger whose files somebody has removed', (mode) => {
  const map = mode === 'mapped';

  it('makes them anew with all that was counted, and counts on in them', () => {
    const ledger = open({ map });
    const metrics = new RequestMetrics(buckets, ledger);
    for (const endpoint of ['/a', '/b']) metrics.endpoint(endpoint).observe('GET', 200, 1);
    rmSync(folder, { recursive: true });
    metrics.endpoint('/b').observe('GET', 200, 8);
    ledger.restore();
    metrics.endpoint('/c').observe('GET', 200, 1);
    mkdirSync(folder);
    ledger.restore();
    metrics.endpoint('/a').observe('GET', 200, 1);
    metrics.endpoint('/d').observe('GET', 200, 1);
    expect(counts(ledger.path)).toEqual([
      ['GET', '/a', 200, 0, 2, 0, 2],
      ['GET', '/b', 200, 0, 1, 1, 9],
      ['GET', '/c', 200, 0, 1, 0, 1],
      ['GET', '/d', 200, 0, 1, 0, 1],
    ]);
    expect([ledger.errors, ledger.memoryOnly()]).toEqual([0, []]);
  });

  it('and which cannot be made anew counts in memory', () => {
    const ledger = open({ map, onError: () => {} });
    const metrics = new RequestMetrics(buckets, ledger);
    metrics.endpoint('/a').observe('GET', 200, 1);
    rmSync(ledger.path);
    mkdirSync(`${ledger.path}.new`);
    ledger.restore();
    metrics.endpoint('/a').observe('GET', 200, 1);
    expect(ledger.errors).toBe(1);
    expect(ledger.memoryOnly().map(({ cells }) => [...cells])).toEqual([[0, 2, 0, 2]]);
  });
});
