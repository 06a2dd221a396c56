import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askSibling, GONE, LATE, listenToSiblings } from '../../src/pm2/sibling-channel';
import { parseReport } from '../../src/pm2/sibling-report';

let folder: string;
let path: string;
const servers: Server[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'channel-'));
  path = join(folder, '1.sock');
});

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  rmSync(folder, { recursive: true });
});

async function listen(answer: () => Promise<string>): Promise<void> {
  servers.push(await listenToSiblings(path, answer));
}

test('gives what the sibling answers, however long', async () => {
  const long = 'ä'.repeat(1_000_000);
  await listen(() => Promise.resolve(long));
  expect(await askSibling(path, 5_000)).toBe(long);
});

test('the socket has its name only when somebody listens', async () => {
  const listening = listenToSiblings(path, () => Promise.resolve('x'));
  expect(readdirSync(folder)).toEqual(['1.new']);
  servers.push(await listening);
  expect(readdirSync(folder)).toEqual(['1.sock']);
});

test('a sibling without a socket, or without a process behind it, is gone', async () => {
  expect(await askSibling(path, 5_000)).toBe(GONE);
  const dying = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  expect(() => execFileSync(process.execPath, ['-e', dying])).toThrow('Command failed');
  expect(await askSibling(path, 5_000)).toBe(GONE);
});

test('a sibling that does not answer in time, or fails to, is there but late', async () => {
  await listen(() => new Promise(() => {}));
  expect(await askSibling(path, 50)).toBe(LATE);
  servers.pop()?.close();
  await listen(() => Promise.reject(new Error('no')));
  expect(await askSibling(path, 5_000)).toBe(LATE);
});

test('an answer that is cut off, as by a SIGKILL, is no report', () => {
  const text = JSON.stringify({ state: 'ready', slot: 1, birth: 0, snapshot: { metrics: [], rows: [] } });
  expect(parseReport(text)).toMatchObject({ state: 'ready' });
  expect(parseReport(text.slice(0, -1))).toBeUndefined();
  expect(parseReport(text.replace('ready', 'sleeping'))).toBeUndefined();
});
