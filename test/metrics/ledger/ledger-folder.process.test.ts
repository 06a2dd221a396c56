import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  utimesSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { prepareLedgerFolder } from '../../../src/metrics/ledger/ledger-folder';
import { memoryFolder } from './memory-folder';

// Real files and processes: on a busy machine they take their time.
jest.setTimeout(60_000);

let base: string;
let primary: ChildProcess;
/** What the folder of the other primary is called. */
let leftover: string;

/** Another primary, which makes its folder and then waits. */
beforeEach(async () => {
  base = memoryFolder();
  const program = `
    const { prepareLedgerFolder } = require('./dist/metrics/ledger/ledger-folder.js');
    process.stdout.write(prepareLedgerFolder(${JSON.stringify(base)}));
    setInterval(() => {}, 1000);`;
  primary = spawn(process.execPath, ['-e', program], {
    cwd: join(__dirname, '../../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [printed]: unknown[] = primary.stdout ? await once(primary.stdout, 'data') : [];
  leftover = String(printed);
  writeFileSync(join(leftover, '1.ledger'), 'counts');
});
afterEach(async () => {
  await end();
  rmSync(base, { recursive: true, force: true });
});

async function end(): Promise<void> {
  if (primary.exitCode !== null || primary.signalCode !== null) return;
  primary.kill('SIGKILL');
  await once(primary, 'exit');
}

it('makes a folder for this user only, a new one each time', () => {
  const folders = [prepareLedgerFolder(base), prepareLedgerFolder(base)];
  expect(new Set(folders).size).toBe(2);
  for (const folder of folders) {
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(basename(folder)).toContain(`-${process.pid}-`);
  }
});

it('leaves the folder of a primary that runs, and removes it when the process is gone', async () => {
  prepareLedgerFolder(base);
  expect(readdirSync(leftover)).toEqual(['1.ledger']);
  await end();
  prepareLedgerFolder(base);
  expect(existsSync(leftover)).toBe(false);
});

it('removes what a dead primary left although its pid is taken again', () => {
  const [, , , user, namespace, pid] = basename(leftover).split('-');
  const earlier = join(base, `koa-cluster-metrics-${user}-${namespace}-${pid}-1-AbCdEf`);
  mkdirSync(earlier, { mode: 0o700 });
  prepareLedgerFolder(base);
  // Where the system does not tell when a process started, the pid alone has to do.
  expect(existsSync(earlier)).toBe(!existsSync('/proc/self/stat'));
});

it('removes what another pid namespace left when nobody has touched it for an hour', () => {
  const [, , , user, namespace, pid] = basename(leftover).split('-');
  const [alive, dead] = ['alive1', 'dead11'].map((random) =>
    join(base, `koa-cluster-metrics-${user}-${Number(namespace) + 1}-${pid}-1-${random}`),
  ) as [string, string];
  for (const [folder, minutes] of [
    [alive, 59],
    [dead, 61],
  ] as const) {
    mkdirSync(folder, { mode: 0o700 });
    const touched = new Date(Date.now() - minutes * 60_000);
    utimesSync(folder, touched, touched);
  }
  prepareLedgerFolder(base);
  expect([alive, dead].map((folder) => existsSync(folder))).toEqual([true, false]);
});

it('touches its folder, so that others see that it is there', () => {
  jest.useFakeTimers();
  const folder = prepareLedgerFolder(base);
  utimesSync(folder, 0, 0);
  jest.advanceTimersByTime(60_000);
  jest.useRealTimers();
  expect(statSync(folder).mtimeMs).toBeGreaterThan(0);
});

it('touches nothing that may be another’s: a link, a file, an open folder, another user’s, another pid namespace’s, another name', async () => {
  await end();
  const [, , , user, namespace, pid, started] = basename(leftover).split('-');
  const name = (parts: (string | number | undefined)[]): string =>
    join(base, `koa-cluster-metrics-${parts.join('-')}-AbCdEf`);
  const target = join(base, 'target');
  mkdirSync(target, { mode: 0o700 });
  writeFileSync(join(target, 'precious'), '');
  symlinkSync(target, name([user, namespace, pid, started]));
  const others = [
    name([user, namespace, pid, Number(started) + 1]),
    name([Number(user) + 1, namespace, pid, started]),
    name([user, Number(namespace) + 1, pid, started]),
    `${name([user, namespace, pid, started])}.old`,
  ];
  for (const other of others) mkdirSync(other, { mode: 0o700 });
  others.push(name([user, namespace, pid, Number(started) + 2]));
  writeFileSync(others.at(-1) ?? '', '', { mode: 0o600 });
  chmodSync(others[0] ?? '', 0o755);
  prepareLedgerFolder(base);
  expect(readdirSync(target)).toEqual(['precious']);
  for (const other of others) expect(existsSync(other)).toBe(true);
  expect(existsSync(leftover)).toBe(false);
});

it('does not follow a link within a leftover', async () => {
  await end();
  const target = join(base, 'target');
  mkdirSync(target);
  writeFileSync(join(target, 'precious'), '');
  symlinkSync(target, join(leftover, 'link'));
  prepareLedgerFolder(base);
  expect(existsSync(leftover)).toBe(false);
  expect(readdirSync(target)).toEqual(['precious']);
});

it('gives the path of a folder that is not there where none can be made, and says why', () => {
  const errors: string[] = [];
  const folder = prepareLedgerFolder(join(base, 'absent'), (err) => errors.push(err.message));
  expect(existsSync(folder)).toBe(false);
  expect(errors).toEqual([expect.stringMatching(/ENOENT/)]);
});
