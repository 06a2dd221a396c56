import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdmittedLabels, forgetLabels } from '../../../src/metrics/service-folder/admitted-labels';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'labels-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function admitted(process: AdmittedLabels, labels: readonly string[]): string[] {
  return labels.filter((label) => process.admits(label));
}

test('two processes and one that comes later admit the same labels, and no more than the limit', () => {
  const [one, other] = [new AdmittedLabels(3, folder), new AdmittedLabels(3, folder)];
  expect(admitted(one, ['a', 'b'])).toEqual(['a', 'b']);
  expect(admitted(other, ['c', 'd', 'a'])).toEqual(['c', 'a']);
  expect(admitted(one, ['d', 'c', 'a'])).toEqual(['c', 'a']);
  expect(admitted(new AdmittedLabels(3, folder), ['e', 'a', 'b', 'c'])).toEqual(['a', 'b', 'c']);
  expect(readFileSync(join(folder, 'labels'), 'utf8')).toBe('\n"a"\n\n"b"\n\n"c"\n');
});

test('a line that was cut off counts for nothing, and spoils no other', () => {
  const one = new AdmittedLabels(3, folder);
  expect(one.admits('a')).toBe(true);
  appendFileSync(join(folder, 'labels'), '\n5\n"cut off');
  expect(admitted(one, ['\ud800\n"', 'c', 'd'])).toEqual(['\ud800\n"', 'c']);
  expect(admitted(new AdmittedLabels(3, folder), ['d', '\ud800\n"', 'c', 'a'])).toEqual([
    '\ud800\n"',
    'c',
    'a',
  ]);
});

test('a line that is half there when it is read is read when it is whole', () => {
  const file = join(folder, 'labels');
  appendFileSync(file, '\n"a"\n\n"ha');
  const one = new AdmittedLabels(2, folder);
  expect(one.admits('a')).toBe(true);
  appendFileSync(file, 'lf"\n');
  expect(admitted(one, ['b', 'half'])).toEqual(['half']);
});

test('a process with a higher limit keeps what another with a lower one must not admit', () => {
  expect(admitted(new AdmittedLabels(3, folder), ['a', 'b', 'c'])).toEqual(['a', 'b', 'c']);
  const lower = new AdmittedLabels(2, folder);
  expect(admitted(lower, ['c', 'd', 'a', 'b'])).toEqual(['a', 'b']);
  expect(admitted(new AdmittedLabels(3, folder), ['d', 'c'])).toEqual(['c']);
});

test('a process admits the same after somebody has removed the folder, and tells the others', () => {
  const one = new AdmittedLabels(3, folder);
  expect(admitted(one, ['a', 'b'])).toEqual(['a', 'b']);
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  expect(admitted(one, ['c', 'd', 'a'])).toEqual(['c', 'a']);
  expect(admitted(new AdmittedLabels(3, folder), ['d', 'a', 'b', 'c'])).toEqual(['a', 'b', 'c']);
});

test('a process without a folder admits for itself', () => {
  for (const absent of [undefined, join(folder, 'absent')])
    expect(admitted(new AdmittedLabels(2, absent), ['a', 'b', 'c', 'a'])).toEqual(['a', 'b', 'a']);
});

test('a limit of 0 admits nothing and writes nothing', () => {
  expect(new AdmittedLabels(0, folder).admits('a')).toBe(false);
  expect(readdirSync(folder)).toEqual([]);
});

test('a service that begins anew has room again', () => {
  new AdmittedLabels(1, folder).admits('a');
  forgetLabels(folder);
  expect(admitted(new AdmittedLabels(1, folder), ['b', 'a'])).toEqual(['b']);
});
