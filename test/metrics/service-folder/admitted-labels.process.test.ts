import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const PROGRAM = resolve(__dirname, '../../fixtures/admitted-labels.js');
const MAX = 2_000;

test('processes that propose labels at the same time admit the same ones, as many as the limit', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'labels-'));
  const run = (...names: string[]) =>
    promisify(execFile)(process.execPath, [PROGRAM, folder, String(MAX), ...names]);
  const [one, other] = await Promise.all([run('a', 'b'), run('b', 'a')]);
  rmSync(folder, { recursive: true });
  expect(JSON.parse(one.stdout)).toHaveLength(MAX);
  expect(one.stdout).toBe(other.stdout);
}, 30_000);
