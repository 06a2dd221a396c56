import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { SharedValue } from '../../../src/metrics/service-folder/shared-value';

let folder: string;
let children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shared-value-'));
  children = [];
});

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

function list(times: number): { child: ChildProcess; said: () => string[]; ended: Promise<unknown> } {
  const program = resolve(__dirname, '../../fixtures/shared-list.js');
  const child = spawn(process.execPath, [program, folder, String(times)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return { child, said: () => output.split('\n').slice(0, -1), ended: once(child, 'close') };
}

test('is undefined at first, and then what it was changed to, in one file', () => {
  const shared = new SharedValue(folder, 'n');
  expect(shared.read()).toBeUndefined();
  shared.update(() => ({ a: 1 }));
  shared.update((value) => [value]);
  shared.update(() => undefined);
  expect(new SharedValue(folder, 'n').read()).toEqual([{ a: 1 }]);
  expect(readdirSync(folder)).toEqual(['n-2']);
});

test('a change that another process was faster than starts again from its value', () => {
  const shared = new SharedValue(folder, 'n');
  const seen: unknown[] = [];
  shared.update((value) => {
    seen.push(value);
    if (seen.length === 1) new SharedValue(folder, 'n').update(() => 'theirs');
    return `${String(value)} and ours`;
  });
  expect(seen).toEqual([undefined, 'theirs']);
  expect(shared.read()).toBe('theirs and ours');
});

test('a change that is several versions late does not count, although its number is free again', () => {
  const shared = new SharedValue(folder, 'n');
  shared.update((value) => {
    if (value === undefined)
      ['a', 'b', 'c'].forEach((next) => new SharedValue(folder, 'n').update(() => next));
    return `${String(value)} and ours`;
  });
  expect(shared.read()).toBe('c and ours');
  expect(readdirSync(folder)).toEqual(['n-4']);
});

test('what a process that died has left does not disturb', () => {
  const shared = new SharedValue(folder, 'n');
  shared.update(() => 1);
  writeFileSync(join(folder, 'n-2.4711'), '{"ha');
  linkSync(join(folder, 'n-1'), join(folder, 'n-0'));
  shared.update((value) => Number(value) + 1);
  shared.update((value) => Number(value) + 1);
  expect(shared.read()).toBe(3);
  expect(readdirSync(folder)).toEqual(['n-3']);
});

test.each(['', '{"ha'])(
  'a value that a power cut left as %j counts as none, and the next one replaces it',
  (text) => {
    const shared = new SharedValue(folder, 'n');
    writeFileSync(join(folder, 'n-7'), text);
    expect(shared.read()).toBeUndefined();
    shared.update((value) => [value ?? 'new']);
    expect(shared.read()).toEqual(['new']);
    expect(readdirSync(folder)).toEqual(['n-8']);
  },
);

test('throws, and stays as it is, when it cannot be written', () => {
  const shared = new SharedValue(folder, 'n');
  shared.update(() => 1);
  expect(() => shared.update(() => 1n)).toThrow(TypeError);
  expect(shared.read()).toBe(1);
  renameSync(folder, `${folder}-away`);
  expect(() => shared.read()).toThrow('ENOENT');
  renameSync(`${folder}-away`, folder);
});

test('loses no change of several processes, and makes none twice, when some are killed and others read', async () => {
  const steady = [list(200), list(200)];
  const killed = [list(100_000), list(100_000)];
  const reading = setInterval(() => new SharedValue(folder, 'list').read());
  await Promise.all(steady.map(({ ended }) => ended));
  clearInterval(reading);
  for (const { child } of killed) child.kill('SIGKILL');
  await Promise.all(killed.map(({ ended }) => ended));

  const value = new SharedValue(folder, 'list').read();
  const entries = Array.isArray(value) ? value.map(String) : [];
  const said = [...steady, ...killed].flatMap((each) => each.said());
  expect(entries).toEqual(expect.arrayContaining(said));
  expect(new Set(entries).size).toBe(entries.length);
  expect(entries.length).toBeLessThanOrEqual(said.length + killed.length);
  expect(killed.map((each) => each.said().length)).not.toContain(0);
}, 30_000);
