import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Counter, Registry } from 'prom-client';
import { ExactSum } from '../../../src/metrics/aggregation/exact-sum';
import { Ledger } from '../../../src/metrics/ledger/ledger';
import { CountArchive, EMPTY } from '../../../src/metrics/service-folder/archive';
import { reportText, writeReport } from '../../../src/metrics/service-folder/process-report';
import { ServiceFolder } from '../../../src/metrics/service-folder/service-folder';
import { snapshotText } from '../../../src/metrics/snapshot/take-snapshot';
import type { ExitReason } from '../../../src/metrics/supervision-metrics';

let base: string;
let folder: ServiceFolder;
let losses: string[];

function fail(what: unknown): never {
  throw new Error(String(what));
}

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'archive-'));
  folder = new ServiceFolder({ base, identity: ['app'], onRefused: fail, onError: fail });
  losses = [];
});

afterEach(() => rmSync(base, { recursive: true, force: true }));

const archiveOf = (of: ServiceFolder, buckets = [1]) =>
  new CountArchive({ folder: of, buckets, onLoss: (message) => losses.push(message) });

/** Writes the files of an ended process that has answered so many requests. */
async function leave(id: number, requests: number, exit?: ExitReason, buckets = [1]): Promise<void> {
  const ledger = Ledger.open({
    folder: folder.path,
    generation: id,
    buckets,
    onError: () => {},
    map: false,
  });
  const row = ledger.append({ method: 'GET', endpoint: '/', status: 200 }, 0);
  row.cells.set([requests, 0, requests / 10]);
  row.commit();
  ledger.close();
  writeFileSync(folder.socket(id), '');
  const registry = new Registry();
  new Counter({ name: 'c', help: 'h', registers: [registry] }).inc(requests);
  const about = { state: 'ready', slot: 1, birth: 0, ...(exit && { exit }) } as const;
  writeReport(folder.report(id), reportText(about, await snapshotText(registry, [])));
}

function counted(archive = archiveOf(folder).read()) {
  const { metrics, rows } = archive.counts;
  const counter = metrics[0]?.values[0]?.sum;
  return { counter: counter && new ExactSum(counter).value, requests: rows[0]?.counts[0] };
}

test('loses nothing when several take in ended instances at the same moment', async () => {
  await leave(1, 5);
  await leave(2, 7);
  await leave(3, 9);
  await Promise.all([[1, 2], [2], [3, 1]].map((gone) => archiveOf(folder).fold(gone)));
  expect(counted()).toEqual({ counter: 21, requests: 21 });
  expect(folder.ids()).toEqual([]);
});

test('takes in all that an instance has counted, and removes its files', async () => {
  await leave(1, 5);
  await leave(2, 7);
  await archiveOf(folder).fold([1, 2]);
  expect(counted()).toEqual({ counter: 12, requests: 12 });
  expect(folder.ids()).toEqual([]);
  expect(readdirSync(folder.path)).toEqual(['archive-1']);
});

test('takes an instance in once, whoever tries again, and however far the one before has come', async () => {
  const archive = archiveOf(folder);
  await leave(1, 5);
  // The process ends between writing the archive and removing the files.
  const remove = jest.spyOn(folder, 'remove').mockImplementation(() => {
    throw new Error('killed');
  });
  await expect(archive.fold([1])).rejects.toThrow('killed');
  remove.mockRestore();
  expect(folder.ids()).toEqual([1]);
  await archive.fold([1]);
  await archiveOf(folder).fold([1]);
  expect(counted()).toEqual({ counter: 5, requests: 5 });
  expect(folder.ids()).toEqual([]);
});

test('knows why instances ended: their last word, killed without one, not booted without any', async () => {
  await leave(1, 1, 'drained');
  await leave(2, 1, 'crashed');
  await leave(3, 1);
  writeFileSync(folder.socket(4), '');
  const archive = archiveOf(folder);
  await archive.fold([1, 2]);
  await archive.fold([3, 4]);
  expect(archive.read().exits).toEqual({
    drained: 1,
    recycled: 0,
    crashed: 1,
    killed: 1,
    hung: 0,
    boot_failed: 1,
  });
});

test('begins anew, unless somebody has added to it in the meantime', async () => {
  const archive = archiveOf(folder);
  await leave(1, 5);
  await archive.fold([1]);
  const seen = archive.read();
  await leave(2, 7);
  await archive.reset(seen, [2]);
  expect(counted()).toEqual({ counter: undefined, requests: undefined });
  expect(folder.ids()).toEqual([]);

  const stale = archive.read();
  await leave(3, 9);
  await archive.fold([3]);
  await archive.reset(stale, []);
  expect(counted()).toEqual({ counter: 9, requests: 9 });
});

test('of processes with other buckets it has the number of requests, and says what begins anew', async () => {
  await leave(1, 5);
  await archiveOf(folder).fold([1]);
  await leave(2, 7, 'drained', [2, 3]);
  const other = archiveOf(folder, [2, 3]);
  expect(other.read().counts.rows[0]).toMatchObject({
    counts: [],
    withOtherBuckets: 5,
    anew: expect.any(Number),
  });
  expect(losses).toEqual(['METRICS_BUCKETS has changed: the request histograms begin anew']);
  await other.fold([2]);
  expect(other.read().counts.rows[0]).toMatchObject({ counts: [7, 0, 0], withOtherBuckets: 5 });
  await leave(3, 1);
  await other.fold([3]);
  expect(other.read().counts.rows[0]).toMatchObject({ counts: [7, 0, 0], withOtherBuckets: 6 });
  expect(losses).toHaveLength(1);
});

test('is put back whole after a removal, with what others have counted since, and each once', async () => {
  await leave(1, 5);
  await archiveOf(folder).fold([1]);
  const early = { ...archiveOf(folder).read(), since: 1 };
  archiveOf(folder).replace(early);
  await leave(2, 7);
  await archiveOf(folder).fold([2]);
  const known = archiveOf(folder).read();

  // One puts it back as it was earlier, another one knows better, and the first is no better the next time.
  folder.removeAll();
  folder.make();
  for (const one of [early, known, early]) archiveOf(folder).restore(one);
  expect(archiveOf(folder).read()).toEqual(known);

  // One that knows nothing begins anew.
  folder.removeAll();
  folder.make();
  archiveOf(folder).restore(EMPTY);
  await leave(3, 9);
  await archiveOf(folder).fold([3]);
  const begun = archiveOf(folder).read();
  for (const one of [known, begun, early]) archiveOf(folder).restore(one);
  const all = archiveOf(folder).read();
  expect(all).toMatchObject({ since: 1, folded: [1, 2, 3], exits: { killed: 3 } });
  await leave(4, 1);
  await archiveOf(folder).fold([4]);
  expect(counted()).toEqual({ counter: 22, requests: 22 });
  expect(losses).toEqual([]);
});

test('one that was removed under its reader is empty, and no loss of its own', async () => {
  await leave(1, 5);
  const archive = archiveOf(folder);
  await archive.fold([1]);
  archive.read();
  folder.removeAll();
  folder.make();
  expect(archive.read()).toEqual(EMPTY);
  expect(losses).toEqual([]);
});

const DAMAGED = [
  '',
  '{"version":2',
  'null',
  '[]',
  '{"version":1}',
  '{"version":2,"buckets":[1],"counts":{}}',
];

test.each(DAMAGED)('is begun anew where it is damaged, which is said: %s', async (text) => {
  await leave(1, 5);
  await archiveOf(folder).fold([1]);
  writeFileSync(join(folder.path, 'archive-1'), text);
  const archive = archiveOf(folder);
  expect(archive.read().counts).toEqual({ rows: [], metrics: [] });
  expect(losses).toHaveLength(1);
  await leave(2, 7);
  await archive.fold([2]);
  expect(counted()).toEqual({ counter: 7, requests: 7 });
});

test('a row or metric in it that is malformed is left out, the others are there', async () => {
  await leave(1, 5);
  await archiveOf(folder).fold([1]);
  const path = join(folder.path, 'archive-1');
  const archive = JSON.parse(readFileSync(path, 'utf8'));
  const [row] = archive.counts.rows;
  const [metric] = archive.counts.metrics;
  archive.counts.rows.push({ ...row, counts: [-1, 0] }, { ...row, seconds: ['x'] }, { counts: [] }, 7);
  archive.counts.metrics.push({ ...metric, name: 'no name' }, { ...metric, values: [{ sum: [null] }] }, null);
  writeFileSync(path, JSON.stringify(archive));
  const { counts } = archiveOf(folder).read();
  expect([counts.rows.length, counts.metrics.length]).toEqual([1, 1]);
});
