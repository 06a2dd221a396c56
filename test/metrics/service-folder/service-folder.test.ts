import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { LEDGER_FOLDER } from '../../../src/config-values';
import { pidNamespace } from '../../../src/metrics/ledger/process-identity';
import { claim } from '../../../src/metrics/service-folder/ownership';
import {
  KEPT_MS,
  markAsTemporary,
  removeLeftovers,
  serviceFolders,
} from '../../../src/metrics/service-folder/leftovers';
import { answerAt } from '../../../src/metrics/service-folder/process-socket';
import { ServiceFolder } from '../../../src/metrics/service-folder/service-folder';
import { eventually } from '../../support/eventually';

let base: string;
let refused: string[];
let errors: string[];

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'services-'));
  refused = [];
  errors = [];
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const open = (...identity: string[]) =>
  new ServiceFolder({
    base,
    identity,
    onRefused: (path) => refused.push(path),
    onError: (err) => errors.push(err.message),
  });

test('one service finds the same folder again, for its user only, another one another', () => {
  const { path } = open('a', 'b');
  expect(open('a', 'b').path).toBe(path);
  expect(open('a b').path).not.toBe(path);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect([refused, errors]).toEqual([[], []]);
});

test('an umask does not take the folder from its owner', () => {
  const before = process.umask(0o277);
  const { path } = open('a');
  process.umask(before);
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

type Obstacle = [what: string, make: (path: string) => void];
const obstacles: Obstacle[] = [
  ['a file', (path) => writeFileSync(path, '')],
  ['a link', (path) => symlinkSync(base, path)],
  [
    'a folder that is open to others',
    (path) => {
      mkdirSync(path);
      chmodSync(path, 0o755);
    },
  ],
];

test.each(obstacles)(
  'where there is %s in its place it is said, and all processes take another',
  (_, make) => {
    const { path } = open('a');
    rmSync(path, { recursive: true });
    make(path);
    const other = open('a').path;
    expect(other).not.toBe(path);
    expect(statSync(other).isDirectory()).toBe(true);
    expect(open('a').path).toBe(other);
    expect(refused).toEqual([path, path]);
    // The others are there already when whoever took the name gives it back.
    rmSync(path, { recursive: true });
    expect(open('a').path).toBe(other);
  },
);

test('where no folder can be made one is named that is not there, and said why', () => {
  const { path } = new ServiceFolder({
    base: join(base, 'absent'),
    identity: [],
    onRefused: (one) => refused.push(one),
    onError: (err) => errors.push(err.message),
  });
  expect(existsSync(path)).toBe(false);
  expect([refused, errors.length]).toEqual([[], 1]);
});

test('knows the processes that have left something, and removes all of one', () => {
  const folder = open('a');
  const names = ['1.ledger', '1.details', '1.json', '1.requests', '1.sock', '2.json', 'archive-1', 'owner-1'];
  const unfinished = ['1.json.new', '1.ledger.new', '3.json.new'];
  for (const name of [...names, ...unfinished]) writeFileSync(join(folder.path, name), '');
  expect(new Set(folder.ids())).toEqual(new Set([1, 2, 3]));
  for (const id of [1, 3]) folder.remove(id);
  expect(readdirSync(folder.path).toSorted()).toEqual(['2.json', 'archive-1', 'owner-1']);
});

test('what cannot be removed of a process stays with its mark, and nobody is stopped by it', () => {
  const folder = open('a');
  // Not even root can remove a folder in the place of a file as one.
  mkdirSync(join(folder.path, '1.ledger'));
  writeFileSync(folder.socket(1), '');
  folder.remove(1);
  expect(folder.ids()).toEqual([1]);
  expect(existsSync(folder.socket(1))).toBe(true);
});

test('the path of a socket fits into an address below the longest folder that is allowed', () => {
  const below = join('/', `${basename(open('a').path)}-9`, '4294967295.sock').length;
  // sun_path has 108 bytes on Linux, 104 on macOS, with the zero at the end (unix(7), unix(4)).
  const lengths = [103 - below, 108 - below, '/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T'.length];
  const allowed = lengths.map((bytes) => LEDGER_FOLDER.parse('/'.padEnd(bytes, 'd')) !== undefined);
  expect(allowed).toEqual([true, false, true]);
});

test('a folder that was removed is made anew, and its process told', async () => {
  const folder = open('a');
  const sockets = [await answerAt(folder.socket(1), () => Promise.resolve('x'))];
  let told = 0;
  folder.watch(folder.socket(1), () => {
    told += 1;
    void answerAt(folder.socket(1), () => Promise.resolve('x')).then((socket) => sockets.push(socket));
  });
  rmSync(folder.path, { recursive: true });
  await eventually('the socket', 10_000, () => existsSync(folder.socket(1)));
  expect(told).toBe(1);
  expect(statSync(folder.path).mode & 0o777).toBe(0o700);
  for (const socket of sockets) socket.close();
});

test('a process that has no socket in its folder is told of no removal until there was one', () => {
  jest.useFakeTimers();
  const folder = open('a');
  let told = 0;
  folder.watch(folder.socket(1), () => (told += 1));
  jest.advanceTimersByTime(10_000);
  expect(told).toBe(0);
  rmSync(folder.path, { recursive: true });
  jest.advanceTimersByTime(10_000);
  expect(told).toBe(1);
  jest.useRealTimers();
});

test('of many that claim a folder at once one has it, and after its end another', async () => {
  const folder = open('a');
  const ids = Array.from({ length: 20 }, (_, i) => i + 1);
  const claims = await Promise.all(ids.map((id) => claim(folder, id)));
  expect(claims.filter(Boolean)).toHaveLength(1);
  const winner = ids[claims.indexOf(true)] ?? 0;
  expect(folder.ids()).toEqual([winner]);
  // A killed process leaves its socket behind, at which nobody listens.
  rmSync(folder.socket(winner));
  writeFileSync(folder.socket(winner), '');
  expect((await Promise.all([claim(folder, 30), claim(folder, 31)])).filter(Boolean)).toHaveLength(1);
});

test('an owner that ends while it is asked leaves its folder', async () => {
  const folder = open('a');
  expect(await claim(folder, 1)).toBe(true);
  rmSync(folder.socket(1));
  // The system closes the connections of a killed process without a word.
  const dying = createServer((socket) => {
    socket.destroy();
    dying.close();
  }).listen(folder.socket(1));
  await once(dying, 'listening');
  expect(await claim(folder, 2)).toBe(true);
});

test('an owner that is silent keeps its folder', async () => {
  const folder = open('a');
  expect(await claim(folder, 1)).toBe(true);
  rmSync(folder.socket(1));
  const silent = createServer().listen(folder.socket(1));
  await once(silent, 'listening');
  expect(await claim(folder, 2)).toBe(false);
  silent.close();
});

function age(path: string, ms: number): void {
  const then = new Date(Date.now() - ms);
  utimesSync(path, then, then);
}

describe('leftovers', () => {
  test('of a service that has not run for a day are removed, those of others are not', async () => {
    const [old, young, running] = [open('old'), open('young'), open('running')];
    const socket = await answerAt(running.socket(1), () => Promise.resolve('x'));
    writeFileSync(join(old.path, '7.sock'), '');
    const foreign = join(base, 'somebody-elses');
    mkdirSync(foreign, { mode: 0o700 });
    const shared = join(base, 'koa-cluster-metrics-shared');
    mkdirSync(shared);
    chmodSync(shared, 0o755);
    symlinkSync(foreign, join(base, 'koa-cluster-metrics-link'));
    for (const path of [old.path, running.path, foreign, shared]) age(path, KEPT_MS + 60_000);
    age(young.path, KEPT_MS - 60_000);
    expect(await removeLeftovers(base)).toEqual([old.path]);
    expect(readdirSync(base)).toHaveLength(5);
    socket.close();
  });

  test('of a process that has ended are removed at once where its folder was temporary', async () => {
    const [ended, elsewhere, ours] = [open('ended'), open('elsewhere'), open('ours')];
    const namespace = pidNamespace();
    writeFileSync(join(ended.path, `process-${namespace}-${process.pid}-1`), '');
    writeFileSync(join(elsewhere.path, `process-${namespace + 1}-${process.pid}-1`), '');
    markAsTemporary(ours.path);
    expect(await removeLeftovers(base)).toEqual([ended.path]);
  });

  test('that are temporary stay while the process runs, or may run elsewhere, whatever is wanted', async () => {
    const [ours, elsewhere, ended] = [open('ours'), open('elsewhere'), open('ended')];
    const namespace = pidNamespace();
    markAsTemporary(ours.path);
    writeFileSync(join(elsewhere.path, `process-${namespace + 1}-${process.pid}-1`), '');
    writeFileSync(join(ended.path, `process-${namespace + 1}-${process.pid}-1`), '');
    age(elsewhere.path, 100_000);
    age(ended.path, 200_000);
    expect(await removeLeftovers(base, 0)).toEqual([ended.path]);
    age(ours.path, 2 * KEPT_MS);
    expect(await removeLeftovers(base)).toEqual([]);
  });

  test('are all removed at once where that is wanted, but for what runs', async () => {
    const [left, running] = [open('left'), open('running')];
    const socket = await answerAt(running.socket(1), () => Promise.resolve('x'));
    const earlier = (pid: number) => join(base, `koa-cluster-metrics-0-1-${pid}-2-AbCdEf`);
    for (const pid of [3, 4]) mkdirSync(earlier(pid), { mode: 0o700 });
    age(earlier(3), 200_000);
    expect(new Set(await removeLeftovers(base, 0))).toEqual(new Set([left.path, earlier(3)]));
    const kept = serviceFolders(base).map(({ path }) => path);
    expect(new Set(kept)).toEqual(new Set([running.path, earlier(4)]));
    socket.close();
  });
});
