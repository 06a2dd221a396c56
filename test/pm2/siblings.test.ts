import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Counter, Gauge, Registry } from 'prom-client';
import { Ledger } from '../../src/metrics/ledger/ledger';
import { OwnReport } from '../../src/pm2/own-report';
import { Siblings } from '../../src/pm2/siblings';
import { CountArchive, EMPTY } from '../../src/metrics/service-folder/archive';
import {
  readReport,
  ReportReader,
  reportText,
  writeReport,
} from '../../src/metrics/service-folder/process-report';
import { answerAt, askProcess, GONE } from '../../src/metrics/service-folder/process-socket';
import { ServiceFolder } from '../../src/metrics/service-folder/service-folder';
import { snapshotText } from '../../src/metrics/snapshot/take-snapshot';
import { type Family, parseExposition, total } from '../support/exposition';

let base: string;
let folder: ServiceFolder;
const others: Server[] = [];

function fail(what: unknown): never {
  throw new Error(String(what));
}

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'siblings-'));
  folder = new ServiceFolder({ base, identity: ['app'], onRefused: fail, onError: fail });
});

afterEach(() => {
  for (const other of others.splice(0)) other.close();
  rmSync(base, { recursive: true, force: true });
});

/** Makes the report of an instance of this slot that has done so many jobs, and has as much load. */
async function report(slot: number, amount: number, number = 0): Promise<string> {
  return reportText({ state: 'ready', slot, birth: slot, number }, await snapshot(amount));
}

function snapshot(amount: number): Promise<string> {
  const registry = new Registry();
  new Counter({ name: 'jobs', help: 'h', registers: [registry] }).inc(amount);
  new Gauge({ name: 'load', help: 'h', registers: [registry] }).set(amount);
  return snapshotText(registry, []);
}

/** What this process says of itself: it has done one job and has a load of one. */
const ofItself = (onError: (err: Error) => void = fail) => ({
  folder,
  slot: 1,
  listen: '80',
  restarts: 0,
  buckets: [],
  answered: () => [],
  snapshot: () => snapshot(1),
  onError,
});

/** Joins this process as the first instance. */
async function first(
  metricsPerWorker = false,
  onError: (err: Error) => void = fail,
  wanted = 0,
): Promise<() => Promise<ReadonlyMap<string, Family>>> {
  const siblings = await Siblings.join({
    ...ofItself(onError),
    config: { metricsPrefix: 'p_', metricsBuckets: [1], metricsPerWorker, metricsKeep: true },
    onRedefined: () => {},
    wanted: () => Promise.resolve(wanted),
    onRemoved: () => {},
    onLoss: () => {},
    timeoutMs: 500,
  });
  await siblings.own.announce('ready');
  return async () => parseExposition((await siblings.gather()).bytes.toString());
}

/** Another one, which says this of itself. */
async function another(id: number, answer: () => Promise<string>): Promise<Server> {
  const server = await answerAt(folder.socket(id), answer);
  others.push(server);
  return server;
}

const figures = (families: ReadonlyMap<string, Family>): number[] =>
  ['jobs', 'load', 'p_scrape_workers_missing'].map((name) => total(families, name));

test('adds up the counters and the gauges of all that answer', async () => {
  const scrape = await first();
  await another(7, () => report(2, 10));
  const families = await scrape();
  expect(figures(families)).toEqual([11, 11, 0]);
  expect(total(families, 'p_workers', { state: 'ready' })).toBe(2);
});

test('an instance that is missing counts as starting; one that does not answer is told of elsewhere', async () => {
  const scrape = await first(false, fail, 4);
  await another(7, () => report(2, 10));
  await another(8, () => new Promise(() => {}));
  const families = await scrape();
  const states = ['starting', 'ready', 'draining'].map((state) => total(families, 'p_workers', { state }));
  expect(states).toEqual([1, 2, 0]);
  expect(total(families, 'p_scrape_workers_missing')).toBe(1);
});

test('gives gauges a label each where that is wanted, and counters none', async () => {
  const scrape = await first(true);
  await another(7, () => report(2, 10));
  const families = await scrape();
  const samples = (name: string) => families.get(name)?.samples.map(({ labels, value }) => [labels, value]);
  expect(samples('load')).toEqual([
    [{ worker: '1' }, 1],
    [{ worker: '2' }, 10],
  ]);
  expect(samples('jobs')).toEqual([[{}, 11]]);
});

test('has the counters of one that does not answer as it last said them, and not its gauges', async () => {
  const scrape = await first();
  writeReport(folder.report(7), await report(2, 10));
  await another(7, () => new Promise(() => {}));
  expect(figures(await scrape())).toEqual([11, 1, 1]);
});

test('keeps the counters of one that is gone, and not its gauges', async () => {
  const scrape = await first();
  writeReport(folder.report(7), await report(2, 10));
  const gone = await another(7, () => report(2, 10));
  expect(figures(await scrape())).toEqual([11, 11, 0]);
  await new Promise((resolve) => gone.close(resolve));
  for (let again = 1; again <= 2; again++) expect(figures(await scrape())).toEqual([11, 1, 0]);
});

test('a report that a full disk keeps as it was does not bring counters back, nor count them twice', async () => {
  const scrape = await first();
  const jobs = async () => total(await scrape(), 'jobs');
  let answer = () => report(2, 40);
  const server = await another(7, () => answer());
  writeReport(folder.report(7), await report(2, 40));
  expect(await jobs()).toBe(41);
  answer = () => report(2, 100, 1);
  expect(await jobs()).toBe(101);
  answer = () => new Promise(() => {});
  expect(await jobs()).toBe(101);
  answer = () => report(2, 101, 2);
  expect(await jobs()).toBe(102);
  await new Promise((resolve) => server.close(resolve));
  for (let again = 1; again <= 2; again++) {
    const families = await scrape();
    expect(figures(families)).toEqual([102, 1, 0]);
    expect(total(families, 'p_worker_exits_total', { reason: 'killed' })).toBe(1);
  }
});

test('an instance numbers its reports, also those that it cannot write', async () => {
  const errors: Error[] = [];
  const own = new OwnReport(ofItself((err) => errors.push(err)));
  await own.announce('ready');
  mkdirSync(`${folder.report(own.id)}.new`);
  const reader = new ReportReader();
  expect([await own.write(), await own.write()].map((text) => reader.read(text)?.number)).toEqual([1, 2]);
  expect(readReport(folder.report(own.id))?.number).toBe(0);
  expect(errors).toHaveLength(2);
});

test('an instance that makes its socket anew leaves the old one', async () => {
  const own = new OwnReport(ofItself());
  await own.listen();
  const old = join(base, 'old.sock');
  renameSync(folder.socket(own.id), old);
  await own.listen();
  expect(await askProcess(old, 500)).toBe(GONE);
  expect(await askProcess(folder.socket(own.id), 500)).not.toBe(GONE);
});

test('one that has its ledger again before its socket, in a folder that was made anew, is not dead', async () => {
  const scrape = await first();
  const ledger = Ledger.open({ folder: folder.path, generation: 7, buckets: [1], onError: fail });
  const row = ledger.append({ method: 'GET', endpoint: '/', status: 200 }, 0);
  for (const requests of [3, 5]) {
    row.cells.set([requests, 0, 1]);
    row.commit();
    const families = await scrape();
    expect(total(families, 'p_request_count')).toBe(requests);
    expect(total(families, 'p_scrape_workers_missing')).toBe(1);
    expect(total(families, 'p_worker_exits_total')).toBe(0);
  }
  ledger.close();
});

test('one that has not yet made its removed ledger anew is counted up to now', async () => {
  const scrape = await first();
  const ledger = Ledger.open({ folder: folder.path, generation: 7, buckets: [1], onError: fail });
  const row = ledger.append({ method: 'GET', endpoint: '/', status: 200 }, Date.now());
  const counted = async (requests: number) => {
    row.cells[0] = requests;
    row.commit();
    return total(await scrape(), 'p_request_count');
  };
  await another(7, () => report(2, 10));
  expect(await counted(1)).toBe(1);
  folder.removeAll();
  folder.make();
  expect(await counted(2)).toBe(2);
  ledger.close();
});

test('one that has a ledger with other buckets, and no socket, is not dead', async () => {
  const scrape = await first();
  const ledger = Ledger.open({ folder: folder.path, generation: 7, buckets: [1, 2], onError: fail });
  const row = ledger.append({ method: 'GET', endpoint: '/', status: 200 }, 0);
  row.cells.set([3, 0, 0, 1]);
  row.commit();
  for (let again = 1; again <= 2; again++) {
    const families = await scrape();
    expect(total(families, 'p_scrape_workers_missing')).toBe(1);
    expect(total(families, 'p_worker_exits_total')).toBe(0);
  }
  expect(folder.ids()).toContain(7);
  ledger.close();
});

test('what the gone have counted outlives the folder, whoever makes it anew, with whatever it knows', async () => {
  const scrape = await first();
  writeReport(folder.report(7), await report(2, 10));
  expect(figures(await scrape())).toEqual([11, 1, 0]);
  const emptied = () => {
    folder.removeAll();
    folder.make();
  };

  emptied();
  expect(total(await scrape(), 'jobs')).toBe(11);

  emptied();
  const ignorant = new CountArchive({ folder, buckets: [1], onLoss: fail });
  ignorant.restore(EMPTY);
  writeReport(folder.report(8), await report(3, 5));
  await ignorant.fold([8]);
  for (let again = 1; again <= 2; again++) {
    const families = await scrape();
    expect(total(families, 'jobs')).toBe(16);
    expect(total(families, 'p_worker_exits_total', { reason: 'killed' })).toBe(2);
  }
});

test('a scrape has them also where the storage takes no archive any more', async () => {
  const errors: unknown[] = [];
  const scrape = await first(false, (err) => void errors.push(err));
  writeReport(folder.report(7), await report(2, 10));
  expect(total(await scrape(), 'jobs')).toBe(11);
  folder.removeAll();
  folder.make();
  const full = jest.spyOn(CountArchive.prototype, 'restore').mockImplementation(() => {
    throw new Error('no space left');
  });
  expect(total(await scrape(), 'jobs')).toBe(11);
  expect(errors).toEqual([expect.objectContaining({ message: 'no space left' })]);
  full.mockRestore();
});
