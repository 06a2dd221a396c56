import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { ReportReader, reportText } from '../../../src/metrics/service-folder/process-report';
import { answerAt, askProcess, GONE, LATE } from '../../../src/metrics/service-folder/process-socket';
import { snapshotText } from '../../../src/metrics/snapshot/take-snapshot';

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
  servers.push(await answerAt(path, answer));
}

test('gives what the sibling answers, however long', async () => {
  const long = 'ä'.repeat(1_000_000);
  await listen(() => Promise.resolve(long));
  expect(await askProcess(path, 5_000)).toBe(long);
});

test('the socket has its name only when somebody listens', async () => {
  const listening = answerAt(path, () => Promise.resolve('x'));
  expect(readdirSync(folder)).toEqual(['1.new']);
  servers.push(await listening);
  expect(readdirSync(folder)).toEqual(['1.sock']);
});

test('a sibling without a socket, or without a process behind it, is gone', async () => {
  expect(await askProcess(path, 5_000)).toBe(GONE);
  const dying = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  expect(() => execFileSync(process.execPath, ['-e', dying])).toThrow('Command failed');
  expect(await askProcess(path, 5_000)).toBe(GONE);
});

test('a sibling that does not answer in time, or fails to, is there but late', async () => {
  await listen(() => new Promise(() => {}));
  expect(await askProcess(path, 50)).toBe(LATE);
  servers.pop()?.close();
  await listen(() => Promise.reject(new Error('no')));
  expect(await askProcess(path, 5_000)).toBe(LATE);
});

const read = (text: string) => new ReportReader().read(text);

test('an answer that is cut off, as by a SIGKILL, is no report', async () => {
  const text = reportText({ state: 'ready', slot: 1, birth: 0 }, await snapshotText(new Registry(), []));
  expect(read(text)).toEqual({ state: 'ready', slot: 1, birth: 0, snapshot: { metrics: [], rows: [] } });
  expect(read(text.slice(0, -1))).toBeUndefined();
  expect(read(text.replace('ready', 'sleeping'))).toBeUndefined();
});
