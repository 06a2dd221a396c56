import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeStaleSocket } from '../../src/server/unix-socket';

let folder: string;
let path: string;
let living: Server | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unix-socket-'));
  path = join(folder, 'service.sock');
});
afterEach(() => {
  living?.close();
  living = undefined;
  rmSync(folder, { recursive: true, force: true });
});

test('the socket of a process that was killed is removed', async () => {
  const dying = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', dying]);
  expect(existsSync(path)).toBe(true);
  await removeStaleSocket(path);
  expect(existsSync(path)).toBe(false);
});

test('a socket on which somebody listens stays', async () => {
  await new Promise<void>((resolve) => (living = createServer().listen(path, resolve)));
  await removeStaleSocket(path);
  expect(existsSync(path)).toBe(true);
});

test('a file that is no socket stays', async () => {
  writeFileSync(path, 'precious');
  await removeStaleSocket(path);
  expect(existsSync(path)).toBe(true);
});

test('where there is nothing, nothing happens', async () => {
  await expect(removeStaleSocket(path)).resolves.toBeUndefined();
});
