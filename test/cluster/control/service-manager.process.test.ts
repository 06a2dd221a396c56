import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../support/eventually';
import { NotificationSocket } from '../../support/notification-socket';
import { disposeAll, Service } from '../../support/service';

const FIXTURE = join(process.cwd(), 'test/fixtures/service.js');

jest.setTimeout(120_000);

let folder: string;
let manager: NotificationSocket;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'notify-test-'));
});
afterEach(async () => {
  await disposeAll();
  manager.close();
  rmSync(folder, { recursive: true });
});

/** A service that is started as systemd does it, with a watchdog of so many milliseconds where there is one. */
async function start(env: Record<string, string> = {}): Promise<Service> {
  const address = env['NOTIFY_SOCKET'] ?? join(folder, 'notify');
  manager = new NotificationSocket(address);
  // Without a PATH no program can run in koffi's place.
  return Service.start({ program: FIXTURE, env: { PATH: '', NOTIFY_SOCKET: address, ...env } });
}

const hears = (word: string, times = 1) =>
  eventually(`${times} ${word}`, 30_000, () => manager.words.filter((one) => one === word).length >= times);

test('it is told when all workers serve, when it reloads and when that is over, and when it stops', async () => {
  const service = await start();
  await hears('READY=1');
  expect(service.workers()).toHaveLength(2);
  expect(manager.heard[0]?.lines['STATUS']).toBe(`Ready on http://127.0.0.1:${service.port} with 2 workers`);
  const old = service.workers();
  const asked = process.hrtime.bigint() / 1_000n;
  service.signal('SIGHUP');
  await hears('READY=1', 2);
  expect(service.workers().filter((pid) => old.includes(pid))).toEqual([]);
  const { at = 0n, lines = {} } = manager.heard[1] ?? {};
  // systemd wants it to be later than its own signal.
  expect(BigInt(lines['MONOTONIC_USEC'] ?? 0)).toBeGreaterThan(asked);
  expect(BigInt(lines['MONOTONIC_USEC'] ?? 0)).toBeLessThanOrEqual(at);
  await service.stop();
  await hears('STOPPING=1');
  expect(manager.words).toEqual(['READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1']);
});

test('a reload that fails is over, too, and its status says why', async () => {
  const fault = join(folder, 'fault');
  const service = await start({ FAULT_BOOT: 'exit', FAULT_BOOT_WHILE: fault });
  await hears('READY=1');
  writeFileSync(fault, '');
  service.signal('SIGHUP');
  await hears('READY=1', 2);
  expect(manager.words).toEqual(['READY=1', 'RELOADING=1', 'READY=1']);
  expect(manager.heard[2]?.lines['STATUS']).toMatch(/^A new worker did not get ready; the old workers stay/);
});

test('each reload is told, and the end of all of them once', async () => {
  const service = await start({ WEB_CONCURRENCY: '1' });
  await hears('READY=1');
  service.signal('SIGHUP');
  await hears('RELOADING=1');
  service.signal('SIGHUP');
  await hears('READY=1', 2);
  expect(manager.words).toEqual(['READY=1', 'RELOADING=1', 'RELOADING=1', 'READY=1']);
});

test('with a watchdog it is told twice in its time that the primary lives, and no more when it does not', async () => {
  const service = await start({ WATCHDOG_USEC: '1000000' });
  await hears('WATCHDOG=1', 6);
  const times = manager.heard.filter(({ lines }) => lines['WATCHDOG'] === '1').map(({ at }) => Number(at));
  const longest = Math.max(...times.slice(1).map((at, i) => at - (times[i] ?? 0)));
  expect(longest).toBeLessThan(1_000_000);
  expect(longest).toBeGreaterThan(450_000);
  service.signal('SIGSTOP');
  const before = manager.words.length;
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  service.signal('SIGCONT');
  expect(manager.words.length).toBeLessThanOrEqual(before + 1);
});

test('a watchdog that is for another process is left to that', async () => {
  await start({ WATCHDOG_USEC: '200000', WATCHDOG_PID: '1' });
  await hears('READY=1');
  expect(manager.words).toEqual(['READY=1']);
});

test('what the manager has set is not for the workers', async () => {
  const service = await start({ NOTIFY_SOCKET: `@notify-test-${process.pid}`, WATCHDOG_USEC: '60000000' });
  await hears('READY=1');
  for (const pid of service.workers()) {
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    expect(variables.filter((text) => /^(?:NOTIFY|WATCHDOG)_/.test(text))).toEqual([]);
  }
});

/** Node's option for a process in which koffi is not installed. */
function withoutKoffi(): string {
  const without = join(folder, 'without-koffi.cjs');
  writeFileSync(
    without,
    `const { _load } = require('node:module');
    require('node:module')._load = (name, ...rest) => {
      if (name === 'koffi') throw new Error('Cannot find module koffi');
      return _load(name, ...rest);
    };`,
  );
  return `--require ${without}`;
}

const hasProgram = spawnSync('systemd-notify', ['--version']).status === 0;

test('without koffi the system’s own program tells it, in the same order', async () => {
  const service = await start({ PATH: process.env['PATH'] ?? '', NODE_OPTIONS: withoutKoffi() });
  if (!hasProgram) return;
  await hears('READY=1');
  service.signal('SIGHUP');
  await hears('READY=1', 2);
  await service.stop();
  // The program waits until each is received, by another message.
  const words = manager.words.filter((word) => word !== 'BARRIER=1');
  expect(words).toEqual(['READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1']);
});

test('with neither of them it serves, and two lines say what is wrong', async () => {
  const service = await start({ NODE_OPTIONS: withoutKoffi(), WATCHDOG_USEC: '200000' });
  const lines = () => service.stdout.split('\n').filter((line) => line.includes('NOTIFY_SOCKET'));
  await eventually('the line', 20_000, () => lines().length > 0);
  service.signal('SIGHUP');
  await eventually('the reload', 30_000, () => service.stdout.split('A worker ended').length > 2);
  expect(lines()).toHaveLength(1);
  expect(service.stdout).toContain('koffi is not installed');
  expect(manager.words).toEqual([]);
});
