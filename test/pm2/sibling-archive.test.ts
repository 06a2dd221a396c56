import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SiblingArchive } from '../../src/pm2/sibling-archive';
import { SiblingFolder } from '../../src/pm2/sibling-folder';
import { writeReport } from '../../src/pm2/sibling-report';
import { ExactSum } from '../../src/metrics/exposition/exact-sum';
import { Ledger } from '../../src/metrics/ledger/ledger';

let base: string;
let folder: SiblingFolder;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'siblings-'));
  folder = new SiblingFolder(base, ['app']);
});

afterEach(() => rmSync(base, { recursive: true, force: true }));

const archiveOf = (of: SiblingFolder) => new SiblingArchive(of, [1]);

/** What a process leaves that has answered so many requests, and is gone. */
function leave(id: number, requests: number, exit?: string): void {
  const ledger = Ledger.open({
    folder: folder.path,
    generation: id,
    buckets: [1],
    onError: () => {},
    map: false,
  });
  const row = ledger.append({ method: 'GET', endpoint: '/', status: 200 }, 0);
  row.cells.set([requests, 0, requests / 10]);
  row.commit();
  ledger.close();
  writeFileSync(folder.socket(id), '');
  const values = [{ labels: {}, value: requests }];
  const metrics = [{ name: 'c', help: 'h', type: 'counter', aggregator: 'sum', values }];
  writeReport(
    folder.report(id),
    JSON.stringify({ state: 'ready', slot: 1, birth: 0, exit, snapshot: { metrics, rows: [] } }),
  );
}

function counted(archive = archiveOf(folder).read()) {
  const { metrics, rows } = archive.counts;
  const counter = metrics[0]?.values[0]?.sum;
  return { counter: counter && new ExactSum(counter).value, requests: rows[0]?.counts[0] };
}

test('takes in all that an instance has counted, and removes its files', () => {
  leave(1, 5);
  leave(2, 7);
  archiveOf(folder).fold([1, 2]);
  expect(counted()).toEqual({ counter: 12, requests: 12 });
  expect(folder.list()).toEqual([]);
  expect(readdirSync(folder.path)).toEqual(['archive-1']);
});

test('takes an instance in once, whoever tries again, and however far the one before has come', () => {
  const archive = archiveOf(folder);
  leave(1, 5);
  // As a process leaves it that ends between the archive and the files.
  const remove = jest.spyOn(folder, 'remove').mockImplementation(() => {
    throw new Error('killed');
  });
  expect(() => archive.fold([1])).toThrow('killed');
  remove.mockRestore();
  expect(folder.list()).toEqual([1]);
  archive.fold([1]);
  archiveOf(folder).fold([1]);
  expect(counted()).toEqual({ counter: 5, requests: 5 });
  expect(folder.list()).toEqual([]);
});

test('knows why instances ended: their last word, killed without one, not booted without any', () => {
  leave(1, 1, 'drained');
  leave(2, 1, 'crashed');
  leave(3, 1);
  writeFileSync(folder.socket(4), '');
  const archive = archiveOf(folder);
  archive.fold([1, 2]);
  archive.fold([3, 4]);
  expect(archive.read().exits).toEqual({
    drained: 1,
    recycled: 0,
    crashed: 1,
    killed: 1,
    hung: 0,
    boot_failed: 1,
  });
});

test('begins anew, unless somebody has added to it in the meantime', () => {
  const archive = archiveOf(folder);
  leave(1, 5);
  archive.fold([1]);
  const seen = archive.read();
  leave(2, 7);
  archive.reset(seen, [2]);
  expect(counted()).toEqual({ counter: undefined, requests: undefined });
  expect(folder.list()).toEqual([]);

  const stale = archive.read();
  leave(3, 9);
  archive.fold([3]);
  archive.reset(stale, []);
  expect(counted()).toEqual({ counter: 9, requests: 9 });
});

test('the folder is of one user and one app, and not taken where it is open to others', () => {
  expect(new SiblingFolder(base, ['app']).path).toBe(folder.path);
  expect(new SiblingFolder(base, ['other']).path).not.toBe(folder.path);
  rmSync(folder.path, { recursive: true });
  writeFileSync(folder.path, '');
  expect(() => new SiblingFolder(base, ['app'])).toThrow('EEXIST');
});

test('the path of a socket fits into an address, also below a long folder of temporary files', () => {
  const macOs = '/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T';
  // sun_path has 104 bytes on macOS, with the zero at the end (unix(4)).
  const [name = ''] = readdirSync(base);
  expect(join(macOs, name, '4294967295.sock').length).toBeLessThan(104);
});
